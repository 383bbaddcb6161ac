"""What is left to see of a network when its blocks are folded, as boxes and lines."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from archscope.analysis.bundle import LayerReport
from archscope.drawing.tree import Item


class Shown(Struct, frozen=True):
    """The items that are boxes, by number, and the lines between them."""

    boxes: tuple[Item, ...]
    number: dict[int, int]  # the box of each layer
    open: frozenset[str]  # names of the blocks that are open
    lines: tuple[tuple[int, int], ...]


def is_open(item: Item, depth: int, fold: int | None) -> bool:
    """Return whether a block is open: those at `fold` names deep are folded, None folds none."""
    return item.folds and (fold is None or depth < fold)


def shown(item: Item, layers: Sequence[LayerReport], fold: int | None) -> Shown:
    """Return what is to be seen of a network, folded at a depth."""
    boxes: list[Item] = []
    opened: set[str] = set()
    _walk(item, 1, fold, boxes, opened)
    number = {layer: place for place, box in enumerate(boxes) for layer in box.layers}
    place_of = {layer.name: place for place, layer in enumerate(layers)}
    lines = {
        (number[place_of[source]], number[place]): None
        for place, layer in enumerate(layers)
        for source in layer.inputs
        if number[place_of[source]] != number[place]
    }
    return Shown(tuple(boxes), number, frozenset(opened), tuple(lines))


def _walk(item: Item, depth: int, fold: int | None, boxes: list[Item], opened: set[str]) -> None:
    for child in item.children:
        if is_open(child, depth, fold):
            opened.add(child.name)
            _walk(child, depth + 1, fold, boxes, opened)
        else:
            boxes.append(child)
