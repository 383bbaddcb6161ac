"""Candidates within budgets, moves between them, and no loop without end."""

from __future__ import annotations

from random import Random

import pytest

from archscope.errors import OptionError, SpecError
from archscope.language import document
from archscope.space.budget import budgets, violation
from archscope.space.costs import CostModel
from archscope.space.sampling import Sampler, example, mutate, neighbours, repair
from archscope.space.search_space import bind, space
from tests.space.test_holes import BLOCKS, space_of


def test_every_draw_is_inside() -> None:
    found = space(document("tiny"))
    limits = budgets(["20MMACs", "params<=400k"])
    sampler = Sampler(found, limits, seed=5)
    seen = [sampler.feasible() for _ in range(20)]
    assert all(one.costs["macs"] <= 20e6 and one.costs["params"] <= 400e3 for one in seen)
    assert len({tuple(one.choices.values()) for one in seen}) == 20
    again = Sampler(found, limits, seed=5)
    assert [again.feasible() for _ in range(20)] == seen
    assert Sampler(found, limits, seed=6).feasible() != seen[0]


def test_a_narrow_budget_is_met_by_moving() -> None:
    found = space(document("mobile"))
    limits = budgets(["macs 26M..27M"])  # next to the smallest network, which chance never meets
    one = Sampler(found, limits).feasible(tries=20)
    assert 26e6 <= one.costs["macs"] <= 27e6
    assert bind(found, one.choices).inputs[0].out == (3, 224, 224)


def test_no_network_is_an_error_and_no_loop() -> None:
    found = space(document("tiny"))
    with pytest.raises(OptionError, match=r"within 1kMACs \(at most 1,000 .*macs\)"):
        Sampler(found, budgets(["1kMACs"])).feasible(tries=10)


def test_values_that_make_no_network_are_passed_over() -> None:
    found = space_of("layers: [{conv: 6}, {conv: {out: 6, groups: !choice [1, 2, 4, 5]}}]")
    evaluate = CostModel(found)
    assert evaluate({"conv1.groups": 5}) is None
    drawn = {Sampler(found, seed=seed).feasible().choices["conv1.groups"] for seed in range(40)}
    assert drawn == {1, 2}


def test_repair_changes_one_decision_at_a_time() -> None:
    found = space(document("tiny"))
    limits = budgets(["macs<=20M"], edge=0)
    start = {decision.path: decision.values()[-1] for decision in found.decisions}
    evaluate = CostModel(found)
    assert violation(limits, evaluate(start)) > 0
    near = repair(found, limits, start, evaluate, Random(0))
    assert near is not None
    assert near.costs["macs"] <= 20e6
    assert repair(found, limits, start, evaluate, Random(0), steps=1) is None


def test_neighbours_are_the_other_values_of_what_counts() -> None:
    found = space_of(BLOCKS)
    choices = found.masked({"stage0.depth": 1, "stage1.depth": 1})
    moves = set(neighbours(found, choices))
    assert moves == {
        ("stage0.depth", 2), ("stage0.depth", 3), ("stage0.unit0.kernel", 5), ("unit.wide", 2),
        ("stage1.depth", 2), ("stage1.depth", 3), ("stage1.unit0.kernel", 5),
    }  # fmt: skip


def test_mutation_changes_something_that_counts() -> None:
    found = space_of(BLOCKS)
    random = Random(1)
    choices = found.masked({decision.path: decision.default for decision in found.decisions})
    for _ in range(50):
        child = mutate(found, choices, random)
        assert child == found.masked(child)
        assert found.active(child) != found.active(choices)
        choices = child
    whole = mutate(found, choices, random, rate=1)
    kept = [path for path in found.active(choices) if whole[path] == choices[path]]
    assert not [path for path in kept if path in found.active(whole)]
    closed = space_of(BLOCKS, set={"stage0.depth": 1})
    assert all(mutate(closed, {**choices, "stage0.depth": 1}, random)["stage0.depth"] == 1
               for _ in range(20))  # fmt: skip
    single = space_of("layers: [relu]")
    assert mutate(single, {}, random) == {}


def test_an_example_is_a_network_even_if_the_first_alternatives_make_none() -> None:
    found = space_of("layers: [{conv: 6}, {conv: {out: 6, groups: !choice [4, 5, 2]}}]")
    assert [node.op.label for node in example(found).nodes][1:] == ["conv", "conv"]
    nothing = space_of("layers: [{conv: 6}, {conv: {out: 6, groups: !choice [4, 5]}}]")
    with pytest.raises(SpecError, match="divisible by 4"):
        example(nothing)
