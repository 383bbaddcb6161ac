"""How much of the whole an item has, and the words that stand in its box."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt

from archscope.analysis.bundle import Analysis, LayerReport
from archscope.drawing.tree import Item
from archscope.ir import text_of
from archscope.units import format_bytes, format_count

HEATS = {
    "macs": "macs",
    "params": "params",
    "memory": "memory_access_bytes",
}
"""What boxes can be coloured by: the word of the command line, and the fact of a layer."""


def amount(item: Item, layers: Sequence[LayerReport], fact: str) -> int:
    """Return the sum of a fact over the layers of an item."""
    return sum(getattr(layers[place], fact) for place in item.layers)


def share(item: Item, analysis: Analysis, heat: str) -> float:
    """Return the part of an item in the whole network, from 0 to 1."""
    fact = HEATS[heat]
    whole = sum(getattr(layer, fact) for layer in analysis.layers)
    return amount(item, analysis.layers, fact) / whole if whole else 0.0


def warmth(part: float) -> float:
    """Return how warm a share looks: its square root, as most shares are small."""
    return sqrt(max(0.0, min(1.0, part)))


def kind(item: Item, layers: Sequence[LayerReport]) -> str:
    """Return what an item is: the operator, or the number of its layers."""
    return f"{len(item.layers)} layers" if item.folds else layers[item.layers[0]].op


def title(item: Item, layers: Sequence[LayerReport]) -> str:
    """Return the first line of a box."""
    what = kind(item, layers)
    return what if item.label == what else f"{item.label} ({what})" if item.folds else item.label


def size(item: Item, layers: Sequence[LayerReport]) -> str:
    """Return the second line of a box: the shape that leaves it, its macs and its params."""
    words = [text_of(layers[item.layers[-1]].out)]
    macs, params = (amount(item, layers, fact) for fact in ("macs", "params"))
    if macs:
        words.append(f"{format_count(macs)} macs")
    elif params:
        words.append(f"{format_count(params)} params")
    return " · ".join(words)


def words(item: Item, layers: Sequence[LayerReport]) -> str:
    """Return all that is to say of an item."""
    macs, params, access = (amount(item, layers, fact) for fact in HEATS.values())
    shapes = ", ".join(text_of(shape) for shape in layers[item.layers[0]].ins)
    arrow = f"{shapes} -> " if shapes else ""
    return (
        f"{item.name}: {kind(item, layers)}\n{arrow}{text_of(layers[item.layers[-1]].out)}\n"
        f"{macs:,} macs, {params:,} params, {format_bytes(access)} memory access"
    )
