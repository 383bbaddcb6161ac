"""The statements of `archscope space` about a space are true."""

from __future__ import annotations

import pytest

from archscope.errors import SpecError
from archscope.language import document
from archscope.latency.profile import load
from archscope.space.budget import budgets
from archscope.space.costs import CostModel, costs_of
from archscope.space.counting import every, plan
from archscope.space.explore import explore, extreme, pattern
from archscope.space.feasible import FeasibleSet
from archscope.space.search_space import bind, space
from tests.space.test_holes import BLOCKS, space_of


def test_small_spaces_are_exact() -> None:
    found = space_of(BLOCKS)
    limits = budgets(["params<=2000"], edge=0)
    result = explore(found, limits)
    graphs = [bind(found, choices) for choices in every(plan(found))]
    params = [costs_of(graph)["params"] for graph in graphs]
    assert result.networks == len(graphs) == 2 * 14 * 14
    (said,) = [one for one in result.ranges if one.metric == "params"]
    assert (said.least, said.most, said.exact) == (min(params), max(params), True)
    assert result.share is not None
    assert result.share.exact
    assert result.share.inside == sum(one <= 2000 for one in params)
    assert result.blocking == ()
    peaks = [costs_of(graph)["peak"] for graph in graphs]
    (peak,) = [one for one in result.ranges if one.metric == "peak"]
    assert (peak.least, peak.most) == (min(map(int, peaks)), max(map(int, peaks)))


def test_samples_agree_with_the_whole() -> None:
    found = space(document("cifar_macro"))
    limits = budgets(["macs<=40M", "params<=1M"], edge=0)
    drawn = explore(found, limits, samples=300).share
    assert drawn is not None
    assert not drawn.exact
    feasible = FeasibleSet(found, limits, CostModel(found))
    whole = [{**found.defaults, **choices} for choices in every(plan(found))]
    true = feasible.inside(feasible.encoding.rows(whole)).mean()
    assert drawn.low < true < drawn.high
    assert explore(found, limits, samples=300) == explore(found, limits, samples=300)
    assert explore(found, limits, samples=300, seed=1).share != drawn


def test_the_ends_of_shipped_spaces() -> None:
    found = space(document("cifar_macro"))
    evaluate = CostModel(found)
    start = {decision.path: decision.default for decision in found.decisions}
    for largest, choices in ((False, "identity"), (True, "mb6_k5")):
        end = extreme(found, evaluate, "macs", largest, start)
        assert end is not None
        assert set(end.choices.values()) == {choices}
    found = space(document("mobile"))
    end = extreme(found, CostModel(found), "macs", True, found.defaults)
    assert end is not None
    # Units of ShuffleNetV2 are wide, which makes an MBConv behind them the largest of all.
    kinds = [end.choices[f"{stage}.kind"] for stage in ("stage28", "stage14", "stage7")]
    assert "shuffle" in kinds and kinds[-1] == "mb"
    assert end.costs["macs"] > 1.2e9


def test_what_cannot_be_met_names_what_to_relax() -> None:
    found = space(document("tiny"))
    result = explore(found, budgets(["100kMACs"]), samples=30)
    assert result.example is None
    assert [reason.metric for reason in result.blocking] == ["macs"]
    assert result.relax["macs"][0].step > 0
    assert result.relax["macs"][0].path in ("stage*.width", "stem", "stage*.depth")
    result = explore(found, budgets(["macs>=1G"]), samples=30)
    assert [reason.metric for reason in result.blocking] == ["macs"]


def test_what_to_relax_is_told_for_the_dtype() -> None:
    found = space(document("tiny"))
    steps = {}
    for dtype, budget in (("float32", "peak<=40KiB"), ("int8", "peak<=10KiB")):
        (first, *_) = explore(found, budgets([budget]), samples=10, dtype=dtype).relax["peak"]
        steps[dtype] = first.step
    assert steps["float32"] == 4 * steps["int8"] > 0


def test_budgets_that_exclude_each_other() -> None:
    found = space(document("tiny"))
    result = explore(found, budgets(["macs<=3M", "params>=1.2M"]), samples=30)
    assert result.example is None
    assert len(result.blocking) == 2


def test_a_rare_network_is_counted_and_drawn() -> None:
    found = space(document("tiny"))
    result = explore(found, budgets(["macs<=965k"], edge=0), samples=20)
    assert result.share is not None
    assert result.share.exact and 0 < result.share.inside < 10
    assert result.example is not None
    assert result.example.costs["macs"] <= 965e3


def test_a_rare_network_that_cannot_be_counted_is_found_by_moving() -> None:
    found = space(document("tiny"))
    result = explore(found, budgets(["peak<=49KiB"], edge=0), samples=20)
    assert result.share is not None
    assert (result.share.inside, result.counts) == (0, ())
    assert result.example is not None
    assert result.example.costs["peak"] <= 49 * 1024


def test_peak_is_asked_of_all_where_it_is_limited() -> None:
    found = space_of(BLOCKS)
    result = explore(found, budgets(["peak<=80KiB"], edge=0))
    assert result.share is not None
    assert 0 < result.share.inside < result.share.seen == 392


def test_values_that_make_no_network_are_counted() -> None:
    found = space_of("layers: [{conv: 6}, {conv: {out: 6, groups: !choice [1, 2, 4, 5]}}]")
    share = explore(found, budgets(["params<=1M"], edge=0)).share
    assert share is not None
    assert (share.inside, share.invalid, share.seen) == (2, 2, 4)
    plain = explore(found)
    assert (plain.invalid, plain.evaluated, plain.networks) == (2, 4, 4)
    nothing = space_of("layers: [{conv: 6}, {conv: {out: 6, groups: !choice [4, 5]}}]")
    with pytest.raises(SpecError, match=r"divisible by [45]"):
        explore(nothing)


def test_patterns() -> None:
    assert pattern(["a.b0.c", "a.b1.c"]) == "a.b*.c"
    assert pattern(["a.b0.c", "b1.c"]) == "*.c"
    assert pattern(["a"]) == "a"
    assert pattern(["left.c", "right.c"]) == "*.c"


@pytest.mark.parametrize("seed", range(4))
def test_predicted_latency_is_explored_where_some_choices_make_no_network(seed: int) -> None:
    """Whichever network is drawn first, valid or not."""
    found = space_of("layers: [{conv: 6}, {conv: {out: 6, groups: !choice [1, 2, 4, 5]}}]")
    result = explore(found, profile=load("i7-12700h"), samples=8, seed=seed)
    assert [one.metric for one in result.ranges][-1] == "latency@i7-12700h"
