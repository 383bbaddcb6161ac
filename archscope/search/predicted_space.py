"""What the prior for any CNN says of a space: the accuracy of networks drawn from it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec import Struct

from archscope.records.prediction import Prediction
from archscope.search.priors.timm import load
from archscope.space.budget import Budget
from archscope.space.sampling import Sampler
from archscope.space.search_space import Space

DRAWN = 25
"""Networks that are drawn; each takes a few milliseconds."""


class PredictedSpace(Struct, frozen=True):
    """Predictions for networks drawn uniformly inside the budgets, by their means."""

    networks: int
    lowest: Prediction
    median: Prediction
    highest: Prediction


def predict_space(
    space: Space, budgets: Sequence[Budget] = (), *, recipe: str | None = None, seed: int = 0
) -> PredictedSpace:
    """Return what is predicted for some networks of a space, the same for the same seed.

    Raises OptionError for an unknown recipe or budgets that nothing fits, NotCoveredError for a
    space of networks that are no classifiers of images.
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
