"""Screen proposals before training: costs, budgets and duplicates."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import structs

from archscope.analysis.canonical import canonical
from archscope.ir import Graph
from archscope.metrics import METRICS
from archscope.records.study import Trial
from archscope.search.strategy import Strategy
from archscope.space.budget import cost_model, violation
from archscope.space.search_space import Space

Measure = Callable[[str, Graph], float]
"""Returns a measured metric of a network, such as latency, by the name of the metric."""


class Screening:
    """Decides which proposals are worth training; `known` has these by digest."""

    def __init__(self, space: Space, strategy: Strategy, measure: Measure) -> None:
        self.space, self.strategy, self.measure = space, strategy, measure
        self.cost_model = cost_model(space, strategy.budgets, objectives=strategy.costs)
        predicted = [budget for budget in strategy.budgets if budget.predicted_by]
        measured = {budget.metric for budget in strategy.budgets if budget.measured}
        self.stand_ins = {
            budget.metric: budget.cost for budget in reversed(predicted)
            if budget.metric not in measured
        }  # fmt: skip
        self.known: dict[str, Trial] = {}
        self.measured: dict[tuple[str, str], float] = {}  # by digest and metric

    def trial(
        self, number: int, choices: dict[str, Any], idle: dict[str, Any], origin: str
    ) -> Trial:
        """Return the trial of a proposal, with the costs needed for the decision.

        The outcome is `impossible`, `infeasible`, `known`, or `trained` if it is worth training;
        the result of the training may change it.
        """
        trial = Trial(number, choices, "infeasible", origin, idle)
        costs = self.cost_model(choices)
        if costs is None:
            return structs.replace(trial, outcome="impossible")
        excess = {
            budget.text: budget.excess(costs[budget.cost])
            for budget in self.strategy.budgets
            if not budget.measured
        }
        # For a metric that is predicted but not measured, the prediction is the value.
        costs = {**costs, **{name: costs[cost] for name, cost in self.stand_ins.items()}}
        trial = structs.replace(trial, costs=costs, excess=excess)
        if violation(self.strategy.budgets, costs) > 0:
            return trial
        graph = self.space.graph(choices)
        trial = self._with_measured(structs.replace(trial, digest=canonical(graph)), graph)
        if any(beyond > 0 for beyond in trial.excess.values()):
            return trial
        if self.strategy.unique and trial.digest in self.known:
            original = self.known[trial.digest]
            return structs.replace(
                trial, outcome="known", same_as=original.number, values=original.values
            )
        return structs.replace(trial, outcome="trained")

    def is_new(self, choices: dict[str, Any]) -> bool:
        """Return whether no equal network is known, or equal networks are trained, too."""
        return not self.strategy.unique or canonical(self.space.graph(choices)) not in self.known

    def _with_measured(self, trial: Trial, graph: Graph) -> Trial:
        """Return a trial with its measured metrics, each measured once for equal networks."""
        costs, excess = dict(trial.costs), dict(trial.excess)
        for name in self.strategy.metrics:
            if not METRICS[name].is_measured or name in self.stand_ins:
                continue
            key = trial.digest, name
            if key not in self.measured:
                self.measured[key] = self.measure(name, graph)
            costs[name] = self.measured[key]
        for budget in self.strategy.budgets:
            if budget.measured:
                excess[budget.text] = budget.excess(costs[budget.metric])
        return structs.replace(trial, costs=costs, excess=excess)
