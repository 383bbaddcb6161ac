"""The in-memory Optuna study that samplers learn from."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import optuna
from optuna.trial import TrialState

from archscope.records.study import Outcome
from archscope.search.distributions import distributions, parameters
from archscope.search.strategy import Strategy
from archscope.space.decisions import Choices
from archscope.space.search_space import Space


class Learner:
    """Asks Optuna for networks and tells it their outcomes."""

    def __init__(self, space: Space, strategy: Strategy) -> None:
        self.space, self.strategy = space, strategy
        self.distributions = distributions(space)
        optuna.logging.set_verbosity(optuna.logging.WARNING)
        warnings.filterwarnings("ignore", category=optuna.exceptions.ExperimentalWarning)
        self.study = optuna.create_study(directions=strategy.directions)

    def sample(self, sampler: optuna.samplers.BaseSampler) -> optuna.Trial:
        """Return a trial with parameters chosen by a sampler of Optuna."""
        self.study.sampler = sampler
        return self.study.ask(self.distributions)

    def enqueue(self, choices: Choices) -> optuna.Trial:
        """Return a trial with the parameters of the given choices."""
        full = {**self.space.defaults, **choices}
        self.study.enqueue_trial(parameters(self.space, full))
        return self.study.ask(self.distributions)

    def constrain(self, trial: optuna.Trial, excess: Mapping[str, float]) -> None:
        """Report by how much a network exceeds each budget."""
        for budget, beyond in excess.items():
            trial.set_constraint(budget, beyond)

    def report(self, trial: optuna.Trial, curve: Sequence[float]) -> None:
        """Report a learning curve; Optuna accepts none for several objectives."""
        if len(self.strategy.objectives) == 1:
            for epoch, score in enumerate(curve, 1):
                trial.report(score, epoch)

    def tell(self, trial: optuna.Trial, outcome: Outcome, values: Sequence[float]) -> None:
        """Report the outcome of a network; samplers learn nothing from a failure."""
        state = state_of(outcome, values)
        if state == TrialState.COMPLETE:
            self.study.tell(trial, list(values))
        else:
            self.study.tell(trial, state=state)


def state_of(outcome: Outcome, values: Sequence[Any]) -> TrialState:
    """Return Optuna's state for an outcome."""
    if outcome in ("trained", "predicted", "known") and values:
        return TrialState.COMPLETE
    if outcome in ("infeasible", "impossible", "pruned"):
        return TrialState.PRUNED
    return TrialState.FAIL
