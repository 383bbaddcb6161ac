"""How the next network is chosen, by name."""

from __future__ import annotations

import warnings
from collections.abc import Mapping

import optuna
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial

from archscope.errors import OptionError, did_you_mean

TPE, NSGA, RANDOM, EVOLUTION, UNIFORM = "tpe", "nsga2", "random", "evolution", "uniform"
ABOUT = {
    TPE: "tree-structured Parzen estimator: draws near the best so far (the default)",
    NSGA: "a genetic algorithm for several objectives",
    RANDOM: "every decision drawn on its own",
    EVOLUTION: "regularised evolution: the best of a few recent networks, with one change",
    UNIFORM: "every network inside the budget with the same chance: the control",
}


def check(name: str) -> None:
    """Raise OptionError unless there is a sampler of this name."""
    if name not in ABOUT:
        hint = did_you_mean(name, ABOUT) or f"; there are {', '.join(ABOUT)}"
        raise OptionError(f"no sampler is called '{name}'{hint}")


class Known(optuna.samplers.BaseSampler):
    """A sampler of parameters that every trial has, so that it need not find out which these are.

    One that is new for each trial would compare those of all trials again.
    """

    space: Mapping[str, BaseDistribution]

    def infer_relative_search_space(
        self, study: optuna.Study, trial: FrozenTrial
    ) -> dict[str, BaseDistribution]:
        """Return all parameters, once a trial has told them."""
        if not trial.number:
            return {}
        return {name: one for name, one in sorted(self.space.items()) if not one.single()}


class Tpe(Known, optuna.samplers.TPESampler):
    """Optuna's TPE, which draws all parameters together."""

    def __init__(self, seed: int, space: Mapping[str, BaseDistribution]) -> None:
        super().__init__(seed=seed, multivariate=True)
        self.space = space


class Nsga(Known, optuna.samplers.NSGAIISampler):
    """Optuna's NSGA-II with a population for searches of a hundred trials."""

    def __init__(self, seed: int, space: Mapping[str, BaseDistribution]) -> None:
        super().__init__(seed=seed, population_size=20)
        self.space = space


def of_optuna(
    name: str, seed: int, space: Mapping[str, BaseDistribution]
) -> optuna.samplers.BaseSampler:
    """Return a sampler of Optuna for parameters.

    One is made for each trial with a seed of its own: Optuna keeps no sampler's state, and so
    a study that goes on draws what it would have drawn without a pause.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == NSGA:
            return Nsga(seed, space)
        if name == TPE:
            return Tpe(seed, space)
        return optuna.samplers.RandomSampler(seed=seed)
