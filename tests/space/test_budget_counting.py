"""Networks within a budget are counted exactly."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import chisquare

from archscope.language import document, spaces
from archscope.space.budget import Budget, budget
from archscope.space.budget_counting import InsideBudget, counted
from archscope.space.chain import Chain, TooWideError
from archscope.space.costs import CostModel
from archscope.space.counting import plan
from archscope.space.explore import explore
from archscope.space.feasible import FeasibleSet
from archscope.space.rows import Encoding
from archscope.space.search_space import Space, space
from tests.space.test_holes import space_of
from tests.space.whole_space import TEXTS, whole_space


def count_inside(found: Space, limit: Budget) -> int:
    count, _ = counted(Chain(Encoding(found)), limit, plan(found).count)
    assert count.least == count.most
    return count.most


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("metric", ["macs", "params", "access", "weights"])
def test_equals_counting_one_by_one(name: str, metric: str) -> None:
    whole = whole_space(name)
    low, middle, high = (whole.at(metric, share) for share in (0, 0.5, 0.75))
    for least, most in ((None, middle), (middle, high), (high, None), (None, low - 1)):
        limit = Budget("limit", metric, most, least)
        assert count_inside(whole.space, limit) == len(whole.inside([limit]))


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("levels", [2, 5, 40])
def test_rounded_costs_bound_the_number(
    name: str, levels: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archscope.space.budget_counting.MOST_LEVELS", levels)
    monkeypatch.setattr("archscope.space.budget_counting.EXACT", 0)
    whole = whole_space(name)
    chain = Chain(whole.encoding)
    gaps = 0
    for low, high in ((0, 0.75), (0.25, 1), (0.5, 0.75), (0, 0.25), (0.75, 1)):
        limit = Budget("limit", "macs", whole.at("macs", high), whole.at("macs", low))
        count, networks = counted(chain, limit, whole.networks)
        assert count.least <= len(whole.inside([limit])) <= count.most == networks.count
        gaps += count.least < count.most
    assert gaps


def test_the_number_does_not_depend_on_where_both_sides_meet(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found, limit = space(document("cifar_macro")), budget("40MMACs")
    whole = count_inside(found, limit)
    assert whole == 932
    monkeypatch.setattr("archscope.space.budget_counting.LIMB_BITS", 3)
    assert count_inside(found, limit) == whole
    monkeypatch.setattr("archscope.space.budget_counting.MOST_COSTS", 20)
    with pytest.raises(TooWideError):
        InsideBudget.exact(Chain(Encoding(found)), limit, 6561, "float32")


@pytest.mark.parametrize("exactly", [True, False])
@pytest.mark.parametrize("name", ["unused", "blocks"])
def test_draws_are_uniform(name: str, exactly: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    if not exactly:
        monkeypatch.setattr("archscope.space.budget_counting.EXACT", 0)
        monkeypatch.setattr("archscope.space.budget_counting.MOST_LEVELS", 6)
    whole = whole_space(name)
    limit = Budget("limit", "macs", whole.at("macs", 0.6), whole.at("macs", 0.1))
    count, networks = counted(Chain(whole.encoding), limit, whole.networks)
    rows = networks.draw(20 * count.most, np.random.default_rng(0))
    drawn, times = np.unique(rows, axis=0, return_counts=True)
    inside = {row.tobytes() for row in whole.inside([limit])}
    assert inside <= {row.tobytes() for row in drawn}
    assert len(drawn) == count.most >= len(inside)
    assert chisquare(times).pvalue > 0.001
    assert (networks.draw(20 * count.most, np.random.default_rng(0)) == rows).all()


def test_few_networks_inside_are_drawn_without_rejection() -> None:
    found = space(document("mnas"))
    limit = Budget("limit", "macs", 70e6, 69.9e6)
    narrow = [limit, Budget("params", "params", 2.2e6)]
    feasible = FeasibleSet(found, narrow, CostModel(found))
    rows = feasible.draw(100, np.random.default_rng(1))
    assert len(np.unique(rows, axis=0)) == 100
    assert feasible.inside(rows).all()


def test_nothing_inside_draws_nothing() -> None:
    found = whole_space("stages").space
    limit = Budget("limit", "macs", 1.0)
    assert count_inside(found, limit) == 0
    assert len(FeasibleSet(found, [limit], CostModel(found)).draw(5, np.random.default_rng(0))) == 0


def test_a_hundred_thousand_million_networks() -> None:
    assert "mnas" in spaces()
    found = space(document("mnas"))
    limit = Budget("255M..300M", "macs", 300e6, 255e6)
    assert plan(found).count == 104_485_552_128
    assert count_inside(found, limit) == 13_265_625_539
    share = explore(found, [limit], samples=10).share
    assert share is not None
    assert share.exact and (share.inside, share.seen) == (13_265_625_539, 104_485_552_128)


def test_several_budgets_are_counted_apart_and_drawn_together() -> None:
    found = space(document("tiny"))
    limits = [Budget("30M", "macs", 30e6), Budget("100k", "params", 1e5)]
    result = explore(found, limits, samples=10)
    assert result.share is not None
    assert [count.budget for count in result.counts] == limits
    assert all(count.least == count.most for count in result.counts)
    assert not result.share.exact and result.share.within == "100k"
    random = np.random.default_rng(0)
    feasible = FeasibleSet(found, [], CostModel(found))
    inside = FeasibleSet(found, limits, CostModel(found)).inside(feasible.draw(20_000, random))
    assert result.share.low - 0.01 < inside.mean() < result.share.high + 0.01


def test_more_networks_than_64_bits_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    found = space_of("""
blocks:
  unit:
    with: {kernel: !choice [1, 3, 5, 7]}
    layers: [{conv: {out: 3, kernel: =kernel, padding: same}}]
layers:
  - unit: {}
    repeat: 40
""")
    ways = Counter({0: 1})
    for _ in range(40):
        further: Counter[int] = Counter()
        for params, number in ways.items():
            for kernel in (1, 3, 5, 7):
                further[params + 9 * kernel**2 + 3] += number
        ways = further
    limit = Budget("limit", "params", 8000, 7000)
    expected = sum(number for params, number in ways.items() if 7000 <= params <= 8000)
    assert 2**64 < expected == count_inside(found, limit)
    monkeypatch.setattr("archscope.space.budget_counting.MOST_LEVELS", 100)
    result = explore(found, [limit], samples=10)
    (count,) = result.counts
    assert count.least < expected < count.most < plan(found).count == 4**40
    assert result.share is not None and not result.share.exact
    assert result.share.low < expected / 4**40 < result.share.high
    assert result.example is not None and 7000 <= result.example.costs["params"] <= 8000
