"""The optimum of an additive model of a study is the best of all networks by that model."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archscope.records.study import Trial, TrialResult
from archscope.search.certificate import FEWEST, certificate
from archscope.space.budget import Budget
from archscope.space.rows import Rows
from tests.space.test_cost_tables import NO_CHAIN
from tests.space.test_holes import space_of
from tests.space.whole_space import WholeSpace, whole_space


def truth(whole: WholeSpace, rows: Rows) -> Any:
    """Return scores that are a sum over decisions."""
    random = np.random.default_rng(4)
    weights = [random.normal(size=size) / 50 for size in whole.encoding.sizes]
    return 0.6 + sum(weight[rows[:, column]] for column, weight in enumerate(weights))


def trials_of(whole: WholeSpace, rows: Rows) -> list[Trial]:
    return [
        Trial(number, whole.encoding.choices(row), "trained", "uniform",
              result=TrialResult(number, "trained", float(score)))
        for number, (row, score) in enumerate(zip(rows, truth(whole, rows), strict=True))
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["stages", "blocks"])
def test_it_finds_the_best_network_of_an_additive_truth(name: str) -> None:
    whole = whole_space(name)
    limit = Budget("limit", "macs", whole.at("macs", 0.7), whole.at("macs", 0.3))
    inside = whole.inside([limit])
    random = np.random.default_rng(0)
    trials = trials_of(whole, random.permutation(inside)[:80])
    scores = truth(whole, inside)
    winner = whole.encoding.choices(inside[scores.argsort()[len(scores) // 2]])
    found = certificate(whole.space, trials, [limit], winner)
    assert found is not None and found.proved
    assert found.trainings == 80
    assert found.optimum == pytest.approx(scores.max(), abs=2e-3)
    assert found.bound == pytest.approx(found.optimum, abs=1e-6)
    assert found.gap == pytest.approx(scores.max() - np.sort(scores)[len(scores) // 2], abs=4e-3)
    best = truth(whole, whole.encoding.rows([found.choices]))[0]
    assert best == pytest.approx(scores.max(), abs=4e-3)
    assert (found.rank_correlation or 0) > 0.99
    assert f"a gap of {100 * found.gap:.1f} points" in found.sentence
    assert "proved" in found.sentence


def test_a_model_that_ranks_nothing_certifies_nothing() -> None:
    whole = whole_space("blocks")
    random = np.random.default_rng(0)
    rows = random.permutation(whole.rows)[:20]
    trials = [
        Trial(number, whole.encoding.choices(row), "trained", "uniform",
              result=TrialResult(number, "trained", float(random.random())))
        for number, row in enumerate(rows)
    ]  # fmt: skip
    found = certificate(whole.space, trials, [], trials[0].choices)
    assert found is not None
    assert found.rank_correlation is None or found.rank_correlation < 0.3
    assert found.sentence.startswith("none, as an additive model of 20 trainings does not rank")


def test_budgets_that_do_not_add_up_are_named() -> None:
    whole = whole_space("blocks")
    trials = trials_of(whole, whole.rows[:60])
    peak = Budget("peak 1MiB", "peak", 2.0**20)
    found = certificate(whole.space, trials, [peak], trials[0].choices)
    assert found is not None
    assert found.relaxed == ("peak 1MiB",)
    assert "not heeding peak 1MiB" in found.sentence


def test_there_is_none_for_few_trainings_or_other_spaces() -> None:
    whole = whole_space("blocks")
    trials = trials_of(whole, whole.rows[: FEWEST - 1])
    assert certificate(whole.space, trials, [], trials[0].choices) is None
    found = space_of(next(iter(NO_CHAIN.values())))
    choices = found.defaults
    many = [
        Trial(n, choices, "trained", "uniform", result=TrialResult(n, "trained", n / 100))
        for n in range(FEWEST)
    ]
    assert certificate(found, many, [], choices) is None
