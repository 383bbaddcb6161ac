"""Decisions as Optuna's parameters: one for each, by its stable path.

Ordered alternatives are whole numbers, or places in their order, so that a sampler knows that 5
lies between 3 and 7; only words are categories. Every decision has its parameter in every trial,
also where it does not count: a space of fixed length suits samplers.
"""

from __future__ import annotations

from typing import Any

from optuna.distributions import (
    BaseDistribution,
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.trial import Trial

from archscope.language.holes import CHOICE, INT
from archscope.space.search_space import Choices, Decision, Space


def suggest(trial: Trial, space: Space) -> dict[str, Any]:
    """Return the choices that a trial stands for, a value for every decision."""
    return {decision.path: _suggest(trial, decision) for decision in space.decisions}


def parameters(space: Space, choices: Choices) -> dict[str, Any]:
    """Return the choices of all decisions as the parameters that a trial of them has."""
    return {
        decision.path: _place(decision, choices[decision.path])
        for decision in space.decisions
        if decision.size != 1
    }


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return what Optuna is told that the parameters can be: what `suggest` draws from."""
    return {
        decision.path: _distribution(decision) for decision in space.decisions if decision.size != 1
    }


def _distribution(decision: Decision) -> BaseDistribution:
    if _ordered(decision):
        return IntDistribution(0, len(decision.alternatives) - 1)
    if decision.kind == CHOICE:
        return CategoricalDistribution(decision.alternatives)
    if decision.kind == INT:
        return IntDistribution(decision.low, decision.high, step=decision.step)
    return FloatDistribution(decision.low, decision.high, log=decision.log, step=decision.step)


def _suggest(trial: Trial, decision: Decision) -> Any:
    path = decision.path
    if decision.size == 1:
        return decision.default
    if decision.kind == CHOICE:
        if _ordered(decision):
            return decision.alternatives[trial.suggest_int(path, 0, len(decision.alternatives) - 1)]
        return trial.suggest_categorical(path, decision.alternatives)
    if decision.kind == INT:
        return trial.suggest_int(path, decision.low, decision.high, step=decision.step)
    return trial.suggest_float(
        path, decision.low, decision.high, step=decision.step, log=decision.log
    )


def _place(decision: Decision, value: Any) -> Any:
    return decision.alternatives.index(value) if _ordered(decision) else value


def _ordered(decision: Decision) -> bool:
    """Return whether the alternatives are numbers that stand in their order."""
    choices = decision.alternatives
    if decision.kind != CHOICE or len(choices) < 3 or decision.labels:
        return False
    if any(isinstance(choice, bool) or not isinstance(choice, int | float) for choice in choices):
        return False
    return list(choices) in (sorted(choices), sorted(choices, reverse=True))
