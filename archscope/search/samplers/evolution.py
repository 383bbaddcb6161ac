"""Regularised evolution (Real et al. 2018, arXiv:1802.01548)."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import optuna

    from archscope.search.sampler_context import Sampler, SamplerContext

ABOUT = "regularised evolution, which mutates the best of a few recent networks"

POPULATION, TOURNAMENT = 25, 5


def make(context: SamplerContext) -> Sampler:
    """Return the sampler of a study, which proposes nothing while there are too few networks."""

    def propose() -> Iterator[optuna.Trial]:
        random = context.random()
        while (choices := _mutation(context, random)) is not None:
            yield context.learner.enqueue(choices)

    return propose


def _mutation(context: SamplerContext, random: Random) -> dict[str, Any] | None:
    """Return a mutation of the best of a few recent networks; None while there are too few."""
    from archscope.space.sampling import mutate

    scored = [trial for trial in context.history.trials if trial.values and trial.trained]
    population = scored[-POPULATION:]
    if len(population) < TOURNAMENT:
        return None
    sample = random.sample(population, TOURNAMENT)
    parent = max(sample, key=lambda trial: context.strategy.gains(trial.values)[0])
    return mutate(context.space, parent.choices, random)
