"""How the next network is chosen, by name."""

from __future__ import annotations

import warnings

import optuna

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


def of_optuna(name: str, seed: int, objectives: int) -> optuna.samplers.BaseSampler:
    """Return a sampler of Optuna.

    One is made for each trial with a seed of its own: Optuna keeps no sampler's state, and so
    a study that goes on draws what it would have drawn without a pause.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        if name == NSGA:
            return optuna.samplers.NSGAIISampler(population_size=20, seed=seed)
        if name == TPE:
            # For one objective decisions are drawn jointly by default; for several it must be said.
            return optuna.samplers.TPESampler(
                seed=seed, multivariate=True if objectives > 1 else None
            )
        return optuna.samplers.RandomSampler(seed=seed)
