"""Optuna's random sampler, which draws every decision independently."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archscope.search.sampler_context import Sampler, SamplerContext

ABOUT = "draws every decision independently"


def make(context: SamplerContext) -> Sampler:
    """Return the sampler of a study."""
    from optuna.samplers import RandomSampler

    from archscope.search.optuna_samplers import optuna_sampler

    return optuna_sampler(context, RandomSampler)
