"""Pruning in steps: each is smaller than the one before, and trained weights go on."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from torch import Tensor

from archscope.build import build
from archscope.compress.pruning import Choice, Pruned
from archscope.compress.steps import prune_in_steps
from archscope.compress.targets import targets
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.space.costs import costs_of
from tests.nets import chain

CHOICE = Choice(lanes=1)


def net() -> Graph:
    return chain(
        ("conv", {"out": 32, "kernel": 3}),
        ("relu", {}),
        ("conv", {"out": 64, "kernel": 3}),
        ("global_avgpool", {}),
        ("flatten", {}),
        ("linear", {"out": 10}),
        x=(3, 16, 16),
    )


def steps_of(budget: str, steps: int) -> tuple[list[Pruned], list[tuple[int, float]]]:
    """Return the networks of all steps, and what was trained: steps and the sums of weights."""
    seen: list[tuple[int, float]] = []

    def double(step: int, graph: Graph, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        build(graph).load_state_dict(dict(weights), strict=True)
        seen.append((step, float(weights["linear6.bias"].abs().sum())))
        return {name: 2 * tensor for name, tensor in weights.items()}

    graph = net()
    limits = targets([budget], graph)
    weights = build(graph).state_dict()
    return [*prune_in_steps(graph, weights, limits, steps, double, CHOICE)], seen


def test_each_step_leaves_the_same_share_of_what_is_left() -> None:
    found, seen = steps_of("25%", 2)
    first, last = (pruned.after["macs"] / costs_of(net())["macs"] for pruned in found)
    assert 0.49 < first <= 0.5 and 0.24 < last <= 0.25
    assert [step for step, _ in seen] == [1, 2]
    assert seen[1][1] == pytest.approx(2 * seen[0][1])  # the second began where the first ended
    assert [pruned.graph.name for pruned in found] == ["net_pruned"] * 2


def test_a_budget_that_cannot_be_kept_is_refused_before_training() -> None:
    graph = net()
    limits = targets(["10 macs"], graph)
    weights = build(graph).state_dict()

    def never(step: int, graph: Graph, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        raise AssertionError

    with pytest.raises(OptionError, match="cannot be kept"):
        list(prune_in_steps(graph, weights, limits, 3, never, CHOICE))
