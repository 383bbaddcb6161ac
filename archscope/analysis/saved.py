"""Analyses that were saved as JSON, read again: those of `archscope analyze` and `compare`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archscope.analysis.result import Analysis
from archscope.decoding import convert
from archscope.errors import RecordError, quoted


def saved_analyses(content: dict[str, Any]) -> list[Analysis]:
    """Return the analyses of a comparison, or the one that a document is.

    Raises RecordError, with the place of what is missing, wrong or contradicts the rest.
    """
    if "networks" not in content:
        return [_analysis(content, "")]
    networks = content["networks"]
    if not isinstance(networks, list) or not networks:
        raise RecordError(f"expected a list with a network, got {quoted(networks)}", "networks")
    return [_analysis(one, f"networks[{number}]") for number, one in enumerate(networks)]


def _analysis(content: Any, place: str) -> Analysis:
    found = convert(content, Analysis, place)
    inside = f"{place}." if place else ""
    _check_shapes(found, inside)
    earlier: set[str] = set()
    if not found.layers:
        raise RecordError("expected a list with a layer, got none", f"{inside}layers")
    for number, layer in enumerate(found.layers):
        at = f"{inside}layers[{number}]"
        if layer.name in earlier:
            raise RecordError(f"there is already a layer {quoted(layer.name)}", f"{at}.name")
        for name in layer.inputs:
            if name not in earlier:
                raise RecordError(f"no layer before it is {quoted(name)}", f"{at}.inputs")
        if not _is_shape(layer.out, least=0):
            raise RecordError(f"expected sizes of at least 1, got {list(layer.out)}", f"{at}.out")
        earlier.add(layer.name)
    return found


def _check_shapes(found: Analysis, inside: str) -> None:
    """Raise RecordError unless the input is a shape or several, and the field has its axes."""
    shapes = found.input.values() if isinstance(found.input, dict) else [found.input]
    if not shapes or not all(_is_shape(shape) for shape in shapes):
        what = f"expected a shape such as [3, 224, 224], or several, got {quoted(found.input)}"
        raise RecordError(what, f"{inside}input")
    field = found.receptive_field
    axes = len(found.shape) - 1
    if field is not None and field.size is not None and axes and len(field.size) != axes:
        what = f"expected as many sizes as the input has axes, {axes}, got {len(field.size)}"
        raise RecordError(what, f"{inside}receptive_field.size")


def _is_shape(sizes: Any, least: int = 1) -> bool:
    return (
        isinstance(sizes, Sequence)
        and len(sizes) >= least
        and all(type(size) is int and size > 0 for size in sizes)
    )
