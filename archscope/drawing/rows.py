"""Which item stands in which row, and in which order: the drawing of a graph in layers.

Sugiyama, Tagawa and Toda 1981, in its plainest form: rows by the longest way from the top,
lines that pass a row get a slot in it, and sweeps of barycentres take crossings out. Every
block is laid out on its own, so that a page can open and close it. The libraries of the field
do not nest (fast-sugiyama, grandalf, igraph), or need a program beside Python (Graphviz).
"""

from __future__ import annotations

import itertools
from bisect import bisect_right, insort
from collections.abc import Sequence

from msgspec import Struct

Line = tuple[int, int]
SWEEPS = 4


class Rows(Struct, frozen=True):
    """Slots by row. Those from `items` on are of lines that pass."""

    items: int
    rows: tuple[tuple[int, ...], ...]
    lines: tuple[tuple[int, ...], ...]  # each the slots on its way, one in every row


def rows_of(items: int, lines: Sequence[Line], entry: int, exit: int) -> Rows:
    """Return how items stand that lines connect; `entry` and `exit` are above and below them.

    An item stands below all those before it that it is connected with. A line that leads back
    up is drawn, but moves nothing.
    """
    rank = _ranks(items, lines)
    last = max(rank, default=0)
    height = dict(enumerate(rank))
    height |= {entry: -1, exit: last + 1}
    rows: list[list[int]] = [[] for _ in range(last + 1)]
    for place, row in enumerate(rank):
        rows[row].append(place)
    ways: list[tuple[int, ...]] = []
    passing: dict[tuple[int, int], int] = {}  # lines from one item share their slots
    for start, end in lines:
        way = [start]
        for row in range(height[start] + 1, height[end]):
            if (start, row) not in passing:
                passing[start, row] = items + len(passing)
                rows[row].append(passing[start, row])
            way.append(passing[start, row])
        ways.append((*way, end))
    steps = [(one, other) for way in ways for one, other in itertools.pairwise(way)]
    _uncross(rows, set(steps))
    return Rows(items, tuple(map(tuple, rows)), tuple(ways))


def _ranks(items: int, lines: Sequence[Line]) -> list[int]:
    before: list[list[int]] = [[] for _ in range(items)]
    for start, end in lines:
        if 0 <= start < end:
            before[end].append(start)
    rank = [0] * items
    for place in range(items):
        rank[place] = max((rank[one] + 1 for one in before[place]), default=0)
    return rank


def _uncross(rows: list[list[int]], steps: set[Line]) -> None:
    """Order each row by where its neighbours stand, downwards and upwards in turns."""
    if max(map(len, rows), default=0) < 2:
        return
    above: dict[int, list[int]] = {}
    below: dict[int, list[int]] = {}
    for one, other in sorted(steps):
        above.setdefault(other, []).append(one)
        below.setdefault(one, []).append(other)
    best, least = [list(row) for row in rows], _crossings(rows, below)
    for sweep in range(SWEEPS):
        if not least:
            break
        down = sweep % 2 == 0
        order = rows if down else rows[::-1]
        for first, second in itertools.pairwise(order):
            place = {slot: number for number, slot in enumerate(first)}
            _sort(second, place, above if down else below)
        count = _crossings(rows, below)
        if count < least:
            best, least = [list(row) for row in rows], count
    rows[:] = best


def _sort(row: list[int], place: dict[int, int], near: dict[int, list[int]]) -> None:
    keys = {}
    for number, slot in enumerate(row):
        seen = [place[one] for one in near.get(slot, ()) if one in place]
        keys[slot] = sum(seen) / len(seen) if seen else float(number)
    row.sort(key=keys.__getitem__)


def _crossings(rows: list[list[int]], below: dict[int, list[int]]) -> int:
    count = 0
    for first, second in itertools.pairwise(rows):
        place = {slot: number for number, slot in enumerate(second)}
        seen: list[int] = []
        for slot in first:
            ends = sorted(place[one] for one in below.get(slot, ()) if one in place)
            count += sum(len(seen) - bisect_right(seen, end) for end in ends)
            for end in ends:
                insort(seen, end)
    return count
