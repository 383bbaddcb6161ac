"""Uniform draws from the networks within the budgets, each proposed once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archscope.errors import OptionError

if TYPE_CHECKING:
    import optuna

    from archscope.search.sampler_context import Sampler, SamplerContext

ABOUT = "draws uniformly from the networks within the budget, as the baseline does"

DRAWS = 300
"""Draws per training, after which the space counts as exhausted."""


def make(context: SamplerContext) -> Sampler:
    """Return the sampler of a study, which ends when no network is new.

    Raises OptionError if nothing fits and nothing has been trained.
    """
    from archscope.space.sampling import Sampler as UniformSampler

    def propose() -> Iterator[optuna.Trial]:
        budgets = context.strategy.budgets
        sampler = UniformSampler(context.space, budgets, context.seed(), context.cost_model)
        for _ in range(DRAWS):
            try:
                choices = sampler.feasible().choices
            except OptionError:
                if context.history.trainings:
                    return
                raise
            if context.screening.is_new(choices):
                yield context.learner.enqueue(choices)

    return propose
