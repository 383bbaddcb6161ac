"""The layout of a drawing: boxes and edges in points, blocks around their members."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from msgspec import Struct

from archscope.drawing.rows import Arrangement
from archscope.drawing.tree import ENTRY, EXIT, TreeNode

WIDTH, HEIGHT = 172.0, 42.0  # of a box without content
GAP_X, GAP_Y = 18.0, 26.0  # between boxes
PASSING = 8.0  # width of a slot that only an edge passes
PADDING, HEADING = 14.0, 24.0  # inside a block: around its members, and above them
SWEEPS = 6

Point = tuple[float, float]
EdgePath = tuple[Point, ...]
"""An edge: alternately straight and curved between its points."""


class Box(Struct, frozen=True):
    """A layer or block with its position; x and y are its upper left corner."""

    node: TreeNode
    x: float
    y: float
    width: float
    height: float
    depth: int
    open: bool


class Layout(Struct, frozen=True):
    """A drawing; boxes come before the boxes inside them."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    edges: tuple[EdgePath, ...]


class _Placed(Struct):
    """A node with its size, and its members with the middle of their upper sides."""

    node: TreeNode
    width: float
    height: float
    members: list[tuple[_Placed, float, float]]
    edges: list[list[Point]]


def layout_of(root: TreeNode, is_open: Callable[[TreeNode, int], bool]) -> Layout:
    """Return the layout of a tree; `is_open` takes a block and its depth."""
    whole = _place(root, 0, is_open)
    boxes: list[Box] = []
    edges: list[EdgePath] = []
    _collect(whole, 0.0, 0.0, 0, boxes, edges)
    return Layout(whole.width, whole.height, tuple(boxes[1:]), tuple(edges))


def _collect(
    placed: _Placed, x: float, y: float, depth: int, boxes: list[Box], edges: list[EdgePath]
) -> None:
    boxes.append(Box(placed.node, x, y, placed.width, placed.height, depth, bool(placed.members)))
    edges.extend(tuple((x + left, y + top) for left, top in points) for points in placed.edges)
    for inner, middle, top in placed.members:
        _collect(inner, x + middle - inner.width / 2, y + top, depth + 1, boxes, edges)


def _place(node: TreeNode, depth: int, is_open: Callable[[TreeNode, int], bool]) -> _Placed:
    if node.arrangement is None or (depth and not is_open(node, depth)):
        return _Placed(node, WIDTH, HEIGHT, [], [])
    children = [_place(child, depth + 1, is_open) for child in node.children]
    rows = node.arrangement
    count = max((slot for row in rows.rows for slot in row), default=-1) + 1
    widths = [child.width for child in children] + [PASSING] * (count - len(children))
    middles = _align(rows, widths)
    left = min((middles[slot] - widths[slot] / 2 for slot in range(count)), default=0.0)
    right = max((middles[slot] + widths[slot] / 2 for slot in range(count)), default=WIDTH)
    middles = [middle - left + PADDING for middle in middles]
    heading = HEADING if depth else 0.0
    tops: list[float] = []
    bottoms: list[float] = []
    y = heading + PADDING
    for row in rows.rows:
        tops.append(y)
        y += max((children[slot].height for slot in row if slot < rows.items), default=0.0)
        bottoms.append(y)
        y += GAP_Y
    width, height = right - left + 2 * PADDING, y - GAP_Y + PADDING
    row_of = {slot: number for number, row in enumerate(rows.rows) for slot in row}
    members = [(child, middles[slot], tops[row_of[slot]]) for slot, child in enumerate(children)]
    edges = []
    for path in rows.edges:
        points: list[Point] = []
        for slot in path:
            if slot == ENTRY:
                points += [(width / 2, 0.0), (width / 2, heading)]
            elif slot == EXIT:
                points += [(width / 2, height), (width / 2, height)]
            else:
                line, x = row_of[slot], middles[slot]
                top = tops[line] + (children[slot].height if slot == path[0] else 0.0)
                points += [(x, top), (x, tops[line] if slot == path[-1] else bottoms[line])]
        edges.append(points)
    return _Placed(node, width, height, members, edges)


def _align(rows: Arrangement, widths: list[float]) -> list[float]:
    """Return the middle of each slot: close to its neighbours, without overlaps."""
    near: dict[int, set[int]] = {}
    for path in rows.edges:
        for upper, lower in itertools.pairwise(path):
            near.setdefault(upper, set()).add(lower)
            near.setdefault(lower, set()).add(upper)
    middles = [0.0] * len(widths)
    for row in rows.rows:
        _spread(row, [0.0] * len(row), widths, middles)
    for sweep in range(SWEEPS):
        order = rows.rows if sweep % 2 == 0 else rows.rows[::-1]
        for first, second in itertools.pairwise(order):
            others = set(first)
            wanted = []
            for slot in second:
                seen = [middles[other] for other in sorted(near.get(slot, ())) if other in others]
                wanted.append(sum(seen) / len(seen) if seen else middles[slot])
            _spread(second, wanted, widths, middles)
    return middles


def _spread(
    row: tuple[int, ...], wanted: list[float], widths: list[float], middles: list[float]
) -> None:
    """Set the middles of a row as wanted, moving overlapping ones apart to both sides."""
    to_right = list(wanted)
    to_left = list(wanted)
    for place in range(1, len(row)):
        gap = (widths[row[place - 1]] + widths[row[place]]) / 2 + GAP_X
        to_right[place] = max(to_right[place], to_right[place - 1] + gap)
    for place in range(len(row) - 2, -1, -1):
        gap = (widths[row[place + 1]] + widths[row[place]]) / 2 + GAP_X
        to_left[place] = min(to_left[place], to_left[place + 1] - gap)
    for slot, right, left in zip(row, to_right, to_left, strict=True):
        middles[slot] = (right + left) / 2
