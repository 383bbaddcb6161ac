"""The context of a sampler: the space, the strategy and the history of its study."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from random import Random

import optuna
from msgspec import Struct

from archscope.search.history import History
from archscope.search.learner import Learner
from archscope.search.prior_model import PriorModel
from archscope.search.samplers import sampler_module
from archscope.search.screening import Screening
from archscope.search.strategy import Strategy
from archscope.space.costs import CostModel
from archscope.space.search_space import Space

Sampler = Callable[[], Iterator[optuna.Trial]]
"""Proposes networks for one training, as trials of `SamplerContext.learner`.

The caller takes proposals until one is worth training, and tells the learner about each before it
takes the next. If a sampler ends, or none of many proposals is within the budgets, the study
repairs one or draws uniformly.
"""


class SamplerContext(Struct, frozen=True):
    """A study as its sampler sees it; the same object throughout the study.

    `strategy` has the budgets and objectives; `learner.study` is the Optuna study with a trial for
    every proposal (`RUNNING` during training); `history.trials` has the choices, costs and results
    of the trials that have ended. A sampler must depend on nothing else, and take random numbers
    only from `seed` and `random`, because a resumed study creates it anew.
    """

    space: Space
    strategy: Strategy
    learner: Learner
    screening: Screening
    history: History
    prior: PriorModel | None = None  # the prior on scores, if any

    @property
    def cost_model(self) -> CostModel:
        """The cost model of the study, which caches its results."""
        return self.screening.cost_model

    def seed(self) -> int:
        """Return the seed of the next proposal."""
        return self.strategy.seed_of(self.history.proposed)

    def random(self) -> Random:
        """Return the random numbers of the next proposal."""
        return self.strategy.random(self.history.proposed)


def make_sampler(name: str, context: SamplerContext) -> Sampler:
    """Return a sampler of `samplers.SAMPLERS` for a study."""
    sampler: Sampler = sampler_module(name).make(context)
    return sampler
