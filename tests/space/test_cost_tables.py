"""Cost tables and batches agree exactly with the graph."""

from __future__ import annotations

from random import Random
from typing import Any

import numpy as np
import pytest

from archscope.analysis.cost import sums_of
from archscope.errors import SpecError
from archscope.language import document, spaces
from archscope.space.cost_tables import CostTables
from archscope.space.counting import plan
from archscope.space.rows import BatchCosts, Encoding, drawn_rows
from archscope.space.sampling import random_choices
from archscope.space.search_space import Space, space
from archscope.space.segments import Segment
from tests.space.test_holes import BLOCKS, space_of

STAGES = """
let: {width: !choice [8, 16], classes: 10}
blocks:
  unit:
    with: {out: , kernel: !choice [1, 3], stride: 1}
    layers:
      - conv: {out: =out, kernel: =kernel, stride: =stride, padding: =kernel//2, bias: false}
      - batchnorm
      - relu
  residual:
    with: {kernel: !choice [1, 3]}
    layers:
      - add: [identity, [{unit: {out: =in.channels, kernel: =kernel}}]]
  stage:
    with: {out: , depth: !int {low: 1, high: 3}, kind: !choice [plain, residual]}
    layers:
      - unit: {out: =out, stride: 2}
      - unit: {out: =out}
        when: =kind == 'plain'
        repeat: =depth
      - residual: {}
        when: =kind == 'residual'
        repeat: =depth
layers:
  - unit: {out: =width}
  - stage: {out: =2*width}
    name: early
  - stage: {out: 32}
    name: late
    when: !choice [true, false]
  - global_avgpool
  - flatten
  - linear: =classes
"""
NO_CHAIN = {
    "branches at the top": """
layers:
  - conv: !choice [4, 8]
  - add: [identity, {conv: {out: =x.channels, kernel: !choice [1, 3], padding: same}}]
""",
    "several outputs": """
layers:
  - conv: !choice [4, 8]
  - linear: {out: 2}
    output: side
  - relu
""",
    "shared weights": """
layers:
  - conv: {out: 3, kernel: !choice [1, 3], padding: same}
    share: a
  - conv: {out: 3, kernel: 3, padding: same}
    repeat: !choice [1, 2]
""",
    "from": """
layers:
  - conv: !choice [4, 8]
    name: first
  - relu
  - concat: {}
    from: [first, first]
""",
}


def graph_sums(found: Space, choices: dict[str, Any]) -> Any:
    try:
        return sums_of(found.graph(choices).inference().nodes)
    except SpecError:
        return None


def table_sums(tables: CostTables, choices: dict[str, Any]) -> Any:
    try:
        return tables.sums(choices)
    except SpecError:
        return None


def every_space() -> list[Space]:
    shipped = [space(document(name)) for name in spaces()]
    return [*shipped, space_of(STAGES), space_of(BLOCKS)]


@pytest.mark.parametrize("found", every_space(), ids=lambda found: str(found.name))
def test_tables_and_batches_equal_the_graph(found: Space) -> None:
    tables = CostTables.of(found.document, found.limits)
    assert tables is not None
    encoding = Encoding(found)
    random = Random(7)
    candidates = [found.masked(random_choices(found, random)) for _ in range(60)]
    rows = encoding.rows(candidates)
    assert [encoding.choices(row) for row in rows] == candidates
    np.testing.assert_array_equal(encoding.masked(rows), rows)
    wanted = [graph_sums(found, choices) for choices in candidates]
    assert [table_sums(tables, choices) for choices in candidates] == wanted
    sums, networks = BatchCosts(encoding, tables).sums(rows)
    assert [
        tuple(row) if ok else None for row, ok in zip(sums.tolist(), networks, strict=True)
    ] == (wanted)


def test_decisions_that_do_not_count_are_masked_alike() -> None:
    found = space_of(STAGES)
    encoding = Encoding(found)
    random = Random(3)
    drawn = [random_choices(found, random) for _ in range(200)]
    masked = encoding.masked(encoding.rows(drawn))
    assert [encoding.choices(row) for row in masked] == [found.masked(one) for one in drawn]
    counts = encoding.counting(masked)
    for row, counting in zip(masked, counts, strict=True):
        wanted = {decision.path for decision in found.counting(encoding.choices(row))}
        assert {found.decisions[i].path for i in np.flatnonzero(counting)} == wanted


def test_values_that_make_no_network_are_told_apart() -> None:
    found = space_of(
        "layers:"
        " [{conv: 6}, {conv: {out: 6, groups: !choice [1, 2, 4, 5]}}, {conv: !choice [1, 2]}]"
    )
    tables = CostTables.of(found.document, found.limits)
    assert tables is not None
    encoding = Encoding(found)
    rows = np.array([[0, 0], [2, 0], [1, 1], [3, 1]])
    _, networks = BatchCosts(encoding, tables).sums(rows)
    assert networks.tolist() == [True, False, True, False]


@pytest.mark.parametrize("text", NO_CHAIN.values(), ids=NO_CHAIN)
def test_what_is_no_chain_is_left_to_the_graph(text: str) -> None:
    found = space_of(text)
    assert CostTables.of(found.document, found.limits) is None


def test_holes_in_the_input_and_in_named_values() -> None:
    found = space(
        document(
            "spec.yaml",
            text=b"""
input: [3, !choice [8, 16], 16]
let: {width: !choice [4, 8], twice: =2*width}
layers: [{conv: =twice}, {conv: {out: =width, kernel: !choice [1, 3]}}]
""",
        )
    )
    tables = CostTables.of(found.document, found.limits)
    assert tables is not None
    encoding = Encoding(found)
    rows = np.array(list(np.ndindex(*encoding.sizes)))
    sums, networks = BatchCosts(encoding, tables).sums(rows)
    assert networks.all()
    wanted = [graph_sums(found, encoding.choices(row)) for row in rows]
    assert [tuple(row) for row in sums.tolist()] == wanted


def test_draws_are_uniform_over_networks() -> None:
    found = space_of(BLOCKS)
    encoding, how = Encoding(found), plan(found)
    rows = drawn_rows(how, encoding, 40 * how.count, np.random.default_rng(0))
    np.testing.assert_array_equal(encoding.masked(rows), rows)
    _, often = np.unique(rows, axis=0, return_counts=True)
    assert len(often) == how.count
    # Chi-squared of a uniform draw: mean is the degrees of freedom, deviation sqrt(2 * mean).
    chi = float(((often - 40) ** 2 / 40).sum())
    assert abs(chi - (how.count - 1)) < 5 * (2 * how.count) ** 0.5


TURNS = """
let: {kind: !choice [1, 3], width: !choice [8, 16]}
blocks:
  same:
    layers:
      - conv: {out: =in.channels, kernel: =kind, padding: =kind//2}
  free:
    with: {kernel: !choice [1, 3]}
    layers:
      - conv: {out: =in.channels, kernel: =kernel, padding: =kernel//2}
layers:
  - conv: =width
  - same: {}
    repeat: 4
  - conv: {out: =8*(i+1), kernel: =kind, padding: =kind//2}
    repeat: 3
  - conv: =width
    each: {width: [4, 12]}
  - free: {}
    repeat: 2
"""


def test_turns_that_are_alike_are_elaborated_once(monkeypatch: pytest.MonkeyPatch) -> None:
    found = space_of(TURNS)
    tables = CostTables.of(found.document, found.limits)
    assert tables is not None
    elaborated: list[Segment] = []
    costs = Segment.costs

    def noted(segment: Segment, *args: Any) -> Any:
        elaborated.append(segment)
        return costs(segment, *args)

    monkeypatch.setattr(Segment, "costs", noted)
    random = Random(0)
    for _ in range(40):
        choices = random_choices(found, random)
        assert tables.sums(choices) == sums_of(found.graph(choices).nodes)
    same = [segment for segment in elaborated if segment.layer.word == "same"]
    assert len(same) <= 4 + 1  # two kernels, two widths; what they read is found out once
