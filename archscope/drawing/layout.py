"""Where everything lies: boxes and lines in points, blocks around what is in them."""

from __future__ import annotations

import itertools
from collections.abc import Callable

from msgspec import Struct

from archscope.drawing.rows import Rows
from archscope.drawing.tree import ENTRY, EXIT, Item

WIDTH, HEIGHT = 172.0, 42.0  # of a box that is not open
BESIDE, BELOW = 18.0, 26.0  # between boxes
PASSING = 8.0  # width of a slot where only a line passes
EDGE, HEADING = 14.0, 24.0  # inside of a block, around what is in it and above
SWEEPS = 6

Point = tuple[float, float]


class Box(Struct, frozen=True):
    """An item in its place, by the corner at its upper left."""

    item: Item
    x: float
    y: float
    width: float
    height: float
    depth: int
    open: bool


class Wire(Struct, frozen=True):
    """A line: straight from the first point to the second, then curved, and so on in turns."""

    points: tuple[Point, ...]


class Picture(Struct, frozen=True):
    """A drawing; boxes come before those that lie in them."""

    width: float
    height: float
    boxes: tuple[Box, ...]
    wires: tuple[Wire, ...]


class _Placed(Struct):
    """An item with its size, and what is in it by the middle of its upper edge."""

    item: Item
    width: float
    height: float
    inside: list[tuple[_Placed, float, float]]
    wires: list[list[Point]]


def picture(item: Item, opened: Callable[[Item, int], bool]) -> Picture:
    """Return the drawing of what is in an item. `opened` decides on each block and its depth."""
    whole = _place(item, 0, opened)
    boxes: list[Box] = []
    wires: list[Wire] = []
    _collect(whole, 0.0, 0.0, 0, boxes, wires)
    return Picture(whole.width, whole.height, tuple(boxes[1:]), tuple(wires))


def _collect(
    placed: _Placed, x: float, y: float, depth: int, boxes: list[Box], wires: list[Wire]
) -> None:
    boxes.append(Box(placed.item, x, y, placed.width, placed.height, depth, bool(placed.inside)))
    wires.extend(
        Wire(tuple((x + left, y + top) for left, top in points)) for points in placed.wires
    )
    for inner, middle, top in placed.inside:
        _collect(inner, x + middle - inner.width / 2, y + top, depth + 1, boxes, wires)


def _place(item: Item, depth: int, opened: Callable[[Item, int], bool]) -> _Placed:
    if item.rows is None or (depth and not opened(item, depth)):
        return _Placed(item, WIDTH, HEIGHT, [], [])
    children = [_place(child, depth + 1, opened) for child in item.children]
    rows = item.rows
    count = max((slot for row in rows.rows for slot in row), default=-1) + 1
    widths = [child.width for child in children] + [PASSING] * (count - len(children))
    middles = _align(rows, widths)
    left = min((middles[slot] - widths[slot] / 2 for slot in range(count)), default=0.0)
    right = max((middles[slot] + widths[slot] / 2 for slot in range(count)), default=WIDTH)
    middles = [middle - left + EDGE for middle in middles]
    heading = HEADING if depth else 0.0
    tops: list[float] = []
    bottoms: list[float] = []
    y = heading + EDGE
    for row in rows.rows:
        tops.append(y)
        y += max((children[slot].height for slot in row if slot < rows.items), default=0.0)
        bottoms.append(y)
        y += BELOW
    width, height = right - left + 2 * EDGE, y - BELOW + EDGE
    row_of = {slot: number for number, row in enumerate(rows.rows) for slot in row}
    inside = [(child, middles[slot], tops[row_of[slot]]) for slot, child in enumerate(children)]
    wires = []
    for way in rows.lines:
        points: list[Point] = []
        for slot in way:
            if slot == ENTRY:
                points += [(width / 2, 0.0), (width / 2, heading)]
            elif slot == EXIT:
                points += [(width / 2, height), (width / 2, height)]
            else:
                line, x = row_of[slot], middles[slot]
                top = tops[line] + (children[slot].height if slot == way[0] else 0.0)
                points += [(x, top), (x, tops[line] if slot == way[-1] else bottoms[line])]
        wires.append(points)
    return _Placed(item, width, height, inside, wires)


def _align(rows: Rows, widths: list[float]) -> list[float]:
    """Return the middle of each slot: near those it is connected with, none over another."""
    near: dict[int, set[int]] = {}
    for way in rows.lines:
        for one, other in itertools.pairwise(way):
            near.setdefault(one, set()).add(other)
            near.setdefault(other, set()).add(one)
    middles = [0.0] * len(widths)
    for row in rows.rows:
        _spread(row, [0.0] * len(row), widths, middles)
    for sweep in range(SWEEPS):
        order = rows.rows if sweep % 2 == 0 else rows.rows[::-1]
        for first, second in itertools.pairwise(order):
            others = set(first)
            wanted = []
            for slot in second:
                seen = [middles[one] for one in sorted(near.get(slot, ())) if one in others]
                wanted.append(sum(seen) / len(seen) if seen else middles[slot])
            _spread(second, wanted, widths, middles)
    return middles


def _spread(
    row: tuple[int, ...], wanted: list[float], widths: list[float], middles: list[float]
) -> None:
    """Set the middles of a row as wanted, moved apart to both sides as far as they must be."""
    to_right = list(wanted)
    to_left = list(wanted)
    for place in range(1, len(row)):
        gap = (widths[row[place - 1]] + widths[row[place]]) / 2 + BESIDE
        to_right[place] = max(to_right[place], to_right[place - 1] + gap)
    for place in range(len(row) - 2, -1, -1):
        gap = (widths[row[place + 1]] + widths[row[place]]) / 2 + BESIDE
        to_left[place] = min(to_left[place], to_left[place + 1] - gap)
    for slot, one, other in zip(row, to_right, to_left, strict=True):
        middles[slot] = (one + other) / 2
