"""What samplers are made from: the space, the strategy and the history of one study."""

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

Whoever calls it takes proposals until one is worth a training, and tells the learner about each
before the next is made. Where a sampler ends, or none of many proposals is inside the budgets, the
study repairs one, or draws uniformly.
"""


class SamplerContext(Struct, frozen=True):
    """One study as its sampler sees it. It stays the same object while the study goes on.

    `strategy` has the budgets and objectives; `learner.study` is the Optuna study, with every
    proposal as a trial (those that are being trained are `RUNNING`); `history.trials` has the
    choices, costs and results of those that have ended. A sampler must depend on nothing else, and
    on chance by `seed` and `random` only: a resumed study makes it anew.
    """

    space: Space
    strategy: Strategy
    learner: Learner
    screening: Screening
    history: History
    prior: PriorModel | None = None  # what is expected of the scores before any training

    @property
    def cost_model(self) -> CostModel:
        """The cost model of the study, which remembers what it has computed."""
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
