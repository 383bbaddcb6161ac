"""One operator of an ONNX file as plain data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, structs


class Step(Struct, frozen=True):
    """One operator at work: its attributes as plain data, absent inputs as empty names."""

    kind: str  # the operator, behind its domain where that is not ONNX's own
    name: str  # of the node in the file
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: dict[str, Any]
    version: int
    scopes: tuple[str, ...] = ()  # module paths, outermost first, where the exporter tells


class Parts(Struct, frozen=True):
    """A value split into a list, of which each part is taken by its place."""

    source: str
    axis: int
    ends: tuple[int, ...]


def with_(step: Step, **changes: Any) -> Step:
    """Return the step with some fields replaced."""
    return structs.replace(step, **changes)


def parts_of(
    node: Any, shapes: Mapping[str, tuple[int, ...]], constants: Mapping[str, Any]
) -> Parts | None:
    """Return what a split into a list makes; None where its sizes are not constant."""
    words = {one.name: one.i for one in node.attribute}
    source = node.input[0]
    axis = words.get("axis", 0) % len(shapes[source])
    length = shapes[source][axis]
    sizes = constants.get(node.input[1]) if len(node.input) > 1 else None
    if sizes is None or not words.get("keepdims", 1) or (sizes < 1).any():
        return None
    if sizes.ndim == 0:
        size = int(sizes)
        return Parts(source, axis, tuple(min(end, length) for end in _ends(length, size)))
    ends = tuple(int(end) for end in sizes.cumsum())
    return Parts(source, axis, ends) if ends[-1] == length else None


def _ends(length: int, size: int) -> range:
    return range(size, length + size, size)


def range_of(node: Any, whole: Parts, place: int) -> Step:
    """Return the operator that takes one part."""
    place %= len(whole.ends)
    start = whole.ends[place - 1] if place else 0
    words = {"axis": whole.axis, "start": start, "stop": whole.ends[place]}
    return Step("Range", node.name, (whole.source,), tuple(node.output), words, 1, scopes_of(node))


def scopes_of(node: Any) -> tuple[str, ...]:
    """Return the module paths that torch's exporter leaves on an operator."""
    for entry in node.metadata_props:
        if entry.key == "pkg.torch.onnx.name_scopes":
            import ast

            try:
                found = ast.literal_eval(entry.value)
            except (ValueError, SyntaxError):
                return ()
            return tuple(map(str, found)) if isinstance(found, list) else ()
    return ()
