"""Lists of tensors, which older exporters split a value into and read one by one."""

from __future__ import annotations

from typing import Any, Protocol

from msgspec import Struct

from archscope.errors import DataError
from archscope.importers.onnx.model_file import named
from archscope.importers.onnx.resolved_model import OnnxOperator, scopes_of


class Visitor(Protocol):
    """Keeps operators and the types of values."""

    types: dict[str, Any]
    shapes: dict[str, tuple[int, ...]]
    constants: dict[str, Any]
    operators: list[OnnxOperator]

    def note(self, name: str, elements: int, shape: Any) -> None:
        """Keep the type and shape of a value."""


class _Split(Struct, frozen=True):
    """A value split along an axis into a list of parts, which end at `ends`."""

    source: str
    axis: int
    ends: tuple[int, ...]


class SplitLists:
    """The lists of a model; reading a part of one becomes an operator on the value itself."""

    def __init__(self, visitor: Visitor) -> None:
        self.visitor = visitor
        self.known: dict[str, _Split] = {}

    def visit(self, node: Any) -> bool:
        """Read an operator on lists; return False for any other. Raises DataError."""
        if node.op_type == "SplitToSequence":
            self._split(node)
        elif node.op_type == "SequenceAt":
            self._part(node)
        else:
            return False
        return True

    def _split(self, node: Any) -> None:
        """Keep the ends of the parts."""
        visitor = self.visitor
        attributes = {attribute.name: attribute.i for attribute in node.attribute}
        source, name = node.input[0], node.output[0]
        axis = attributes.get("axis", 0) % len(visitor.shapes[source])
        length = visitor.shapes[source][axis]
        sizes = visitor.constants.get(node.input[1]) if len(node.input) > 1 else None
        ends: list[int] = []
        if sizes is not None and attributes.get("keepdims", 1) and (sizes >= 1).all():
            ends = sizes.cumsum().tolist()
            if sizes.ndim == 0:
                ends = [*range(int(sizes), length, int(sizes)), length]
        if ends[-1:] != [length]:
            raise DataError(f"{named(node)} splits in a way that is not supported")
        self.known[name] = _Split(source, axis, tuple(ends))
        visitor.types[name] = visitor.types[source]

    def _part(self, node: Any) -> None:
        visitor = self.visitor
        parts, place = self.known.get(node.input[0]), visitor.constants.get(node.input[1])
        if parts is None or place is None or not -len(parts.ends) <= int(place) < len(parts.ends):
            raise DataError(f"{named(node)} reads an unknown part")
        at = int(place) % len(parts.ends)
        start, stop = (0, *parts.ends)[at], parts.ends[at]
        size = list(visitor.shapes[parts.source])
        size[parts.axis] = stop - start
        visitor.note(node.output[0], visitor.types[parts.source].tensor_type.elem_type, size)
        attributes = {"axis": parts.axis, "start": start, "stop": stop}
        visitor.operators.append(
            OnnxOperator(
                "Range", node.name, (parts.source,), tuple(node.output), attributes, 1,
                scopes_of(node),
            )
        )  # fmt: skip
