"""An operator of an ONNX model as plain data, and splits into a list as ranges."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from msgspec import Struct


class OnnxOperator(Struct, frozen=True):
    """An operator with its attributes as plain data and absent inputs as empty names."""

    kind: str  # the operator type, behind its domain where that is not ONNX's own
    name: str  # of the node in the file
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    version: int
    scopes: tuple[str, ...] = ()  # module paths, outermost first, where the exporter wrote them


class SplitList(Struct, frozen=True):
    """A value split along an axis into a list of parts, which end at `ends`."""

    source: str
    axis: int
    ends: tuple[int, ...]


def split_list(
    node: Any, shapes: Mapping[str, tuple[int, ...]], constants: Mapping[str, Any]
) -> SplitList | None:
    """Return what SplitToSequence makes; None where the sizes are not constant."""
    attributes = {attribute.name: attribute.i for attribute in node.attribute}
    source = node.input[0]
    axis = attributes.get("axis", 0) % len(shapes[source])
    length = shapes[source][axis]
    sizes = constants.get(node.input[1]) if len(node.input) > 1 else None
    if sizes is None or not attributes.get("keepdims", 1) or (sizes < 1).any():
        return None
    if sizes.ndim == 0:
        size = int(sizes)
        ends = tuple(min(end, length) for end in range(size, length + size, size))
        return SplitList(source, axis, ends)
    ends = tuple(int(end) for end in sizes.cumsum())
    return SplitList(source, axis, ends) if ends[-1] == length else None


def range_of(node: Any, parts: SplitList, place: int) -> OnnxOperator:
    """Return the operator that takes one part of a list as a range of the whole."""
    place %= len(parts.ends)
    start = parts.ends[place - 1] if place else 0
    attributes = {"axis": parts.axis, "start": start, "stop": parts.ends[place]}
    outputs, scopes = tuple(node.output), scopes_of(node)
    return OnnxOperator("Range", node.name, (parts.source,), outputs, attributes, 1, scopes)


def scopes_of(node: Any) -> tuple[str, ...]:
    """Return the module paths that torch's exporter writes on an operator, outermost first."""
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            try:
                found = ast.literal_eval(entry.value)
            except (ValueError, SyntaxError):
                return ()
            return tuple(map(str, found)) if isinstance(found, list) else ()
    return ()
