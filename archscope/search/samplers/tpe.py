"""Optuna's TPE, after a few uniform draws from the networks within the budgets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from archscope.search.samplers import UNIFORM

if TYPE_CHECKING:
    import optuna

    from archscope.search.sampler_context import Sampler, SamplerContext

STARTS = 10
JOINT = 20
"""The most decisions to sample jointly; with more, the joint estimate locks in too early."""
ABOUT = "tree-structured Parzen estimator, which samples near the best so far"


def make(context: SamplerContext) -> Sampler:
    """Return the sampler of a study."""
    from optuna.samplers import TPESampler

    from archscope.search.optuna_samplers import optuna_sampler
    from archscope.search.sampler_context import make_sampler

    strategy, history = context.strategy, context.history
    joint = len(context.learner.distributions) <= JOINT
    uniform = make_sampler(UNIFORM, context)
    estimator = optuna_sampler(context, TPESampler, multivariate=joint)

    def propose() -> Iterator[optuna.Trial]:
        starting = history.trainings < STARTS + len(strategy.anchors)
        yield from uniform() if starting else estimator()

    return propose
