"""Optuna's multivariate TPE, which samples all parameters jointly."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from archscope.search.sampler_context import Sampler, SamplerContext

ABOUT = "tree-structured Parzen estimator, samples near the best so far"


def make(context: SamplerContext) -> Sampler:
    """Return the sampler of a study."""
    from optuna.samplers import TPESampler

    from archscope.search.optuna_samplers import optuna_sampler

    return optuna_sampler(context, TPESampler, multivariate=True)
