"""Rows of any graph: everything has a place, lines go down, and sweeps take crossings out."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archscope.drawing import rows
from archscope.drawing.rows import arrange

ENTRY, EXIT = -1, -2


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, list[tuple[int, int]]]:
    count = draw(st.integers(1, 12))
    pairs = [(one, other) for other in range(count) for one in range(ENTRY, other)]
    lines = draw(st.lists(st.sampled_from(pairs), unique=True, max_size=30)) if pairs else []
    ends = draw(st.lists(st.integers(0, count - 1), unique=True))
    return count, [*lines, *((end, EXIT) for end in ends)]


@given(graphs())
def test_every_item_and_every_edge_has_its_slots(graph: tuple[int, list[tuple[int, int]]]) -> None:
    count, lines = graph
    found = arrange(count, lines, ENTRY, EXIT)
    slots = [slot for row in found.rows for slot in row]
    assert sorted(slots) == list(range(len(slots)))
    assert set(range(count)) <= set(slots)
    rank = {slot: number for number, row in enumerate(found.rows) for slot in row}
    rank |= {ENTRY: -1, EXIT: len(found.rows)}
    assert [(path[0], path[-1]) for path in found.edges] == lines
    for path in found.edges:
        assert [rank[slot] for slot in path] == list(range(rank[path[0]], rank[path[-1]] + 1))
        assert all(slot >= count for slot in path[1:-1]), "an edge passes through an item"


def test_crossed_branches_are_uncrossed() -> None:
    # 0 feeds 1 and 2; 3 reads 2 and 4 reads 1, which as written would cross.
    found = arrange(6, [(0, 1), (0, 2), (2, 3), (1, 4), (3, 5), (4, 5)], ENTRY, EXIT)
    second, third = found.rows[1], found.rows[2]
    assert second.index(1) < second.index(2)
    assert third.index(4) < third.index(3)


def test_an_edge_that_leads_back_up_moves_nothing() -> None:
    found = arrange(3, [(0, 1), (1, 2), (2, 1)], ENTRY, EXIT)
    assert found.rows == ((0,), (1,), (2,))
    assert (2, 1) in found.edges


def test_the_longest_of_too_many_edges_get_no_slots(monkeypatch: pytest.MonkeyPatch) -> None:
    chain = [(item, item + 1) for item in range(5)]
    skips = [(0, 5), (1, 3), (2, 4)]  # which pass 4 rows, 1 and 1
    monkeypatch.setattr(rows, "PASSED", 3)
    found = arrange(6, [*chain, *skips], ENTRY, EXIT)
    assert [len(path) for path in found.edges[5:]] == [2, 3, 3]
    assert sum(map(len, found.rows)) == 6 + 2
