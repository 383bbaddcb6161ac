"""Layered graph drawing: the row of each item, and the order within the rows.

A plain form of Sugiyama, Tagawa and Toda 1981: an item's row is the longest path from the top,
an edge that passes a row gets a slot in it, and barycentre sweeps remove crossings. Every block
is laid out on its own, so that a page can open and close it. The usual libraries do not nest
(fast-sugiyama, grandalf, igraph) or need a program outside of Python (Graphviz).
"""

from __future__ import annotations

from bisect import bisect_right, insort
from collections.abc import Mapping, Sequence
from itertools import accumulate, pairwise

from msgspec import Struct

Edge = tuple[int, int]
SWEEPS = 4
PASSED = 50_000
"""The most rows that edges pass in a slot of their own, counted once for each passing edge."""


class Arrangement(Struct, frozen=True):
    """Slots by row. Slots from `items` on belong to edges that pass the row."""

    items: int
    rows: tuple[tuple[int, ...], ...]
    edges: tuple[tuple[int, ...], ...]  # the slots of each, one in every row, or its two ends


def arrange(items: int, edges: Sequence[Edge], entry: int, exit: int) -> Arrangement:
    """Arrange items in rows; `entry` and `exit` are the ends of edges above and below all rows.

    An item is placed below all earlier items with an edge to it. An edge that leads back up is
    drawn but moves no item. If edges pass more than `PASSED` rows, the longest go straight from
    end to end: a thousand layers that all lead to the last would make half a million slots.
    """
    rank = _ranks(items, edges)
    last = max(rank, default=0)
    height = dict(enumerate(rank))
    height |= {entry: -1, exit: last + 1}
    rows: list[list[int]] = [[] for _ in range(last + 1)]
    for place, row in enumerate(rank):
        rows[row].append(place)
    paths: list[tuple[int, ...]] = []
    passing: dict[tuple[int, int], int] = {}  # edges from the same item share their slots
    straight = _straight(edges, height)
    for start, end in edges:
        path = [start]
        for row in () if start in straight else range(height[start] + 1, height[end]):
            if (start, row) not in passing:
                passing[start, row] = items + len(passing)
                rows[row].append(passing[start, row])
            path.append(passing[start, row])
        paths.append((*path, end))
    steps = {step for path in paths for step in pairwise(path)}
    _remove_crossings(rows, steps)
    return Arrangement(items, tuple(map(tuple, rows)), tuple(paths))


def _straight(edges: Sequence[Edge], height: Mapping[int, int]) -> set[int]:
    """Return the items whose edges get no slots, as they are the longest of too many."""
    passed: dict[int, int] = {}
    for start, end in edges:
        passed[start] = max(passed.get(start, 0), height[end] - height[start] - 1)
    order = sorted(passed, key=passed.__getitem__)
    sums = accumulate(passed[start] for start in order)
    return {start for start, total in zip(order, sums, strict=True) if total > PASSED}


def _ranks(items: int, edges: Sequence[Edge]) -> list[int]:
    before: list[list[int]] = [[] for _ in range(items)]
    for start, end in edges:
        if 0 <= start < end:
            before[end].append(start)
    rank = [0] * items
    for place in range(items):
        rank[place] = max((rank[source] + 1 for source in before[place]), default=0)
    return rank


def _remove_crossings(rows: list[list[int]], steps: set[Edge]) -> None:
    """Sort each row by the mean position of its neighbours, in sweeps down and up in turns."""
    if max(map(len, rows), default=0) < 2:
        return
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for upper, lower in sorted(steps):
        above.setdefault(lower, []).append(upper)
        below.setdefault(upper, []).append(lower)
    best, least = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(SWEEPS):
        if not least:
            break
        down = sweep % 2 == 0
        order = rows if down else rows[::-1]
        for first, second in pairwise(order):
            place = {slot: number for number, slot in enumerate(first)}
            _sort(second, place, above if down else below)
        count = _crossings(rows, below)
        if count < least:
            best, least = [list(row) for row in rows], count
    rows[:] = best


def _sort(row: list[int], place: dict[int, int], near: dict[int, list[int]]) -> None:
    keys = {}
    for number, slot in enumerate(row):
        seen = [place[other] for other in near.get(slot, ()) if other in place]
        keys[slot] = sum(seen) / len(seen) if seen else float(number)
    row.sort(key=keys.__getitem__)


def _crossings(rows: list[list[int]], below: dict[int, list[int]]) -> int:
    count = 0
    for first, second in pairwise(rows):
        place = {slot: number for number, slot in enumerate(second)}
        seen: list[int] = []
        for slot in first:
            ends = sorted(place[other] for other in below.get(slot, ()) if other in place)
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count
