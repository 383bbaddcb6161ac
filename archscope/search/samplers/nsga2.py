"""Optuna's NSGA-II, with a population for searches of about a hundred trials."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archscope.search.sampler_context import Sampler, SamplerContext

ABOUT = "NSGA-II, a genetic algorithm for several objectives"


def make(context: SamplerContext) -> Sampler:
    """Return the sampler of a study."""
    from optuna.samplers import NSGAIISampler

    from archscope.search.optuna_samplers import optuna_sampler

    return optuna_sampler(context, NSGAIISampler, population_size=20)
