"""Fold a network at a depth: the boxes to draw and the edges between them."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from archscope.analysis.result import LayerReport
from archscope.drawing.tree import TreeNode


class FoldedTree(Struct, frozen=True):
    """The boxes of a folded network, by number, and the edges between them."""

    boxes: tuple[TreeNode, ...]
    box_of: dict[int, int]  # the box of each layer
    open: frozenset[str]  # names of the blocks drawn with their content
    edges: tuple[tuple[int, int], ...]


def is_open(node: TreeNode, depth: int, fold: int | None) -> bool:
    """Return whether a block at a depth is drawn with its content; with `fold` None, all are."""
    return node.is_block and (fold is None or depth < fold)


def fold_tree(root: TreeNode, layers: Sequence[LayerReport], fold: int | None) -> FoldedTree:
    """Return a network with the blocks at depth `fold` as boxes."""
    boxes: list[TreeNode] = []
    opened: set[str] = set()
    _walk(root, 1, fold, boxes, opened)
    box_of = {layer: number for number, box in enumerate(boxes) for layer in box.layers}
    place_of = {layer.name: place for place, layer in enumerate(layers)}
    edges = {
        (box_of[place_of[source]], box_of[place]): None
        for place, layer in enumerate(layers)
        for source in layer.inputs
        if box_of[place_of[source]] != box_of[place]
    }
    return FoldedTree(tuple(boxes), box_of, frozenset(opened), tuple(edges))


def _walk(
    node: TreeNode, depth: int, fold: int | None, boxes: list[TreeNode], opened: set[str]
) -> None:
    for child in node.children:
        if is_open(child, depth, fold):
            opened.add(child.name)
            _walk(child, depth + 1, fold, boxes, opened)
        else:
            boxes.append(child)
