"""The samplers of a search by name, and how those of Optuna are made."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from archscope.errors import OptionError, did_you_mean

TPE, NSGA, RANDOM, EVOLUTION, UNIFORM = "tpe", "nsga2", "random", "evolution", "uniform"
SAMPLERS = {
    TPE: "tree-structured Parzen estimator: samples near the best so far (the default)",
    NSGA: "NSGA-II, a genetic algorithm for several objectives",
    RANDOM: "every decision sampled on its own",
    EVOLUTION: "regularised evolution: the best of a few recent networks, mutated",
    UNIFORM: "uniform over the networks inside the budget: the baseline",
}
"""What each sampler does, by its name."""


def check_sampler(name: str) -> None:
    """Raise OptionError unless there is a sampler of this name."""
    if name not in SAMPLERS:
        hint = did_you_mean(name, SAMPLERS) or f"; there are {', '.join(SAMPLERS)}"
        raise OptionError(f"no sampler is called '{name}'{hint}")


class FixedSpaceSampler(optuna.samplers.BaseSampler):
    """A sampler that is told its search space, which all trials share.

    Optuna infers the intersection of the search spaces of all trials, each time anew for a sampler
    that is made for one trial.
    """

    space: Mapping[str, BaseDistribution]

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return all parameters but those with one value, none for the first trial."""
        if not trial.number:
            return {}
        return {name: values for name, values in sorted(self.space.items()) if not values.single()}


class FixedSpaceTPE(FixedSpaceSampler, optuna.samplers.TPESampler):
    """Optuna's multivariate TPE, which samples all parameters jointly."""

    def __init__(self, seed: int, space: Mapping[str, BaseDistribution]) -> None:
        super().__init__(seed=seed, multivariate=True)
        self.space = space


class FixedSpaceNSGAII(FixedSpaceSampler, optuna.samplers.NSGAIISampler):
    """Optuna's NSGA-II with a population for searches of about a hundred trials."""

    def __init__(self, seed: int, space: Mapping[str, BaseDistribution]) -> None:
        super().__init__(seed=seed, population_size=20)
        self.space = space


def optuna_sampler(
    name: str, seed: int, space: Mapping[str, BaseDistribution]
) -> optuna.samplers.BaseSampler:
    """Return a sampler of Optuna for one trial.

    Each trial has a sampler with a seed of its own. Optuna does not store the state of samplers,
    so this is what makes a resumed study draw what it would have drawn without a pause.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == NSGA:
            return FixedSpaceNSGAII(seed, space)
        if name == TPE:
            return FixedSpaceTPE(seed, space)
        return optuna.samplers.RandomSampler(seed=seed)
