"""Predict the accuracy of networks drawn from a space, by the prior for any CNN."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from archscope.records.prediction import Prediction
from archscope.search.priors.timm import load
from archscope.space.budget import Budget
from archscope.space.sampling import Sampler
from archscope.space.search_space import Space

DRAWN = 25
"""Networks to draw; each takes a few milliseconds."""


class PredictedSpace(Struct, frozen=True):
    """Predictions for networks drawn uniformly within the budgets, ordered by mean."""

    networks: int
    lowest: Prediction
    median: Prediction
    highest: Prediction


def predict_space(
    space: Space, budgets: Sequence[Budget] = (), *, recipe: str | None = None, seed: int = 0
) -> PredictedSpace:
    """Predict some networks of a space, reproducibly for a seed.

    Raises OptionError for an unknown recipe or budgets that nothing fits, NotCoveredError if the
    networks are not image classifiers.
    """
    prior = load()
    if recipe is not None:
        prior.check_recipe(recipe)
    sampler = Sampler(space, [budget for budget in budgets if not budget.measured], seed)
    graphs = (space.graph(sampler.feasible().choices) for _ in range(DRAWN))
    found = sorted(
        (prior.predict(graph, recipe=recipe) for graph in graphs), key=lambda each: each.mean
    )
    return PredictedSpace(DRAWN, found[0], found[DRAWN // 2], found[-1])
