"""Decisions as parameters of Optuna, each named by its path.

Ordered alternatives become integers, or indices into their order, so that a sampler knows that 5
lies between 3 and 7; only words are categorical. Every trial has a parameter for every decision,
active or not, because samplers work best in a space of fixed dimension.
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

from archscope.language.value import CHOICE, INT
from archscope.space.decisions import Choices, Decision
from archscope.space.search_space import Space


def choices_of(trial: Trial, space: Space) -> dict[str, Any]:
    """Return the choices of a trial, with a value for every decision."""
    given = trial.params
    return {
        decision.path: _choice(decision, given[decision.path])
        if decision.size != 1
        else decision.default
        for decision in space.decisions
    }


def parameters(space: Space, choices: Choices) -> dict[str, Any]:
    """Return the parameters of a trial with these choices of all decisions."""
    return {
        decision.path: _parameter(decision, choices[decision.path])
        for decision in space.decisions
        if decision.size != 1
    }


def distributions(space: Space) -> dict[str, BaseDistribution]:
    """Return the distributions of all decisions; those with one value have none."""
    return {
        decision.path: _distribution(decision) for decision in space.decisions if decision.size != 1
    }


def plain_distribution(decision: Decision) -> BaseDistribution:
    """Return the distribution of a decision's values, whether they are ordered or not."""
    if decision.kind == CHOICE:
        return CategoricalDistribution(decision.alternatives)
    if decision.kind == INT:
        return IntDistribution(decision.low, decision.high, step=decision.step)
    return FloatDistribution(decision.low, decision.high, log=decision.log, step=decision.step)


def _distribution(decision: Decision) -> BaseDistribution:
    if _by_place(decision):
        return IntDistribution(0, len(decision.alternatives) - 1)
    return plain_distribution(decision)


def _choice(decision: Decision, parameter: Any) -> Any:
    return decision.alternatives[parameter] if _by_place(decision) else parameter


def _parameter(decision: Decision, value: Any) -> Any:
    return decision.alternatives.index(value) if _by_place(decision) else value


def _by_place(decision: Decision) -> bool:
    """Return whether its alternatives are represented by their indices."""
    return decision.kind == CHOICE and decision.ordered
