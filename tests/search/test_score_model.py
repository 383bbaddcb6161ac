"""The surrogate finds better networks than chance where chance is lost."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from archscope.language import document
from archscope.search.score_model import Mixture, Surrogate
from archscope.space.budget import Budget
from archscope.space.costs import CostModel
from archscope.space.feasible import FeasibleSet
from archscope.space.features import Features
from archscope.space.search_space import space


@pytest.fixture(scope="module")
def feasible() -> FeasibleSet:
    found = space(document("mnas"))
    return FeasibleSet(found, [Budget("limit", "macs", 300e6, 255e6)], CostModel(found))


def score(rows: Any, weights: Any) -> Any:
    """Return a score with main effects, and with interactions inside of each stage."""
    main = np.take_along_axis(weights[0], rows.T, 1).sum(0)
    pairs = [weights[1][j, rows[:, j], rows[:, j + 1]] for j in range(0, rows.shape[1], 2)]
    return main + np.sum(pairs, 0)


def test_everything_drawn_or_proposed_is_inside_and_new(feasible: FeasibleSet) -> None:
    random = np.random.default_rng(0)
    rows = feasible.draw(12, random)
    weights = random.normal(size=(28, 4)), random.normal(size=(28, 4, 4)) / 2
    surrogate = Surrogate(feasible, 1)
    first = surrogate.propose(rows, score(rows, weights), rows[:0], rows, 12)
    again = Surrogate(feasible, 1).propose(rows, score(rows, weights), rows[:0], rows, 12)
    assert first is not None
    np.testing.assert_array_equal(first, again)
    told = np.concatenate([rows, first[None]])
    other = surrogate.propose(rows, score(rows, weights), first[None], told, 12)
    assert other is not None
    assert not (told == other).all(1).any()
    assert all(feasible.fits(row) for row in (*rows, first, other))


def test_it_beats_uniform_draws_in_a_large_space(feasible: FeasibleSet) -> None:
    regrets = []
    for seed in range(2):
        random = np.random.default_rng(seed)
        weights = random.normal(size=(28, 4)), random.normal(size=(28, 4, 4)) / 2
        rows = feasible.draw(10, random)
        surrogate = Surrogate(feasible, seed)
        for number in range(10, 22):
            row = surrogate.propose(rows, score(rows, weights), rows[:0], rows, number)
            assert row is not None
            rows = np.concatenate([rows, row[None]])
        chance = score(feasible.draw(66, random), weights)  # three times as many networks
        regrets.append(chance.max() - score(rows, weights).max())
    assert max(regrets) < 0


def test_distance_is_the_share_of_decisions_that_differ(feasible: FeasibleSet) -> None:
    rows = feasible.draw(40, np.random.default_rng(2))
    features = Features(feasible, rows)
    points = features.points(rows)[:, :-3]  # without the costs
    distance = np.square(points[:, None] - points[None]).sum(-1)
    differ = (rows[:, None] != rows[None]).mean(-1)
    assert (distance <= differ + 1e-9).all()
    assert (distance >= differ / 2 - 1e-9).all()


def test_a_mixture_is_less_sure_far_from_what_it_has_seen(feasible: FeasibleSet) -> None:
    rows = feasible.draw(30, np.random.default_rng(3))
    points = Features(feasible, rows).points(rows)
    mixture = Mixture(points, points.sum(1))
    _, near = mixture.predict(points)
    _, far = mixture.predict(points + 2)
    assert near.max() < far.min()
