"""Samplers of Optuna as samplers of a study."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import optuna
from optuna.distributions import BaseDistribution
from optuna.samplers import BaseSampler
from optuna.trial import FrozenTrial

from archscope.search.sampler_context import Sampler, SamplerContext


class FixedSpaceSampler(BaseSampler):
    """A sampler with a given search space, shared by all trials.

    Optuna would infer the intersection of the search spaces of all trials, repeatedly for a sampler
    that is created for one trial.
    """

    space: Mapping[str, BaseDistribution]

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return all parameters with more than one value; none for the first trial."""
        if not trial.number:
            return {}
        return {name: values for name, values in sorted(self.space.items()) if not values.single()}


def optuna_sampler(context: SamplerContext, kind: type[BaseSampler], **options: Any) -> Sampler:
    """Return a sampler that asks a sampler of Optuna, created with these options and a seed.

    Each trial has a new sampler with its own seed. Optuna does not store the state of samplers, so
    this makes a resumed study draw what an uninterrupted one would have drawn.
    """
    fixed = fixed_space(kind, context.learner.distributions)

    def propose() -> Iterator[optuna.Trial]:
        while True:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
                sampler = fixed(seed=context.seed(), **options)
            yield context.learner.sample(sampler)

    return propose


def fixed_space(kind: type[BaseSampler], space: Mapping[str, BaseDistribution]) -> Any:
    """Return a subclass of a sampler with a given search space."""
    return type(f"FixedSpace{kind.__name__}", (FixedSpaceSampler, kind), {"space": space})
