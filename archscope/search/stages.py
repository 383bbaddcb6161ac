"""The stages of a search, each with its share of the time: candidates, repeats, final trainings."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import ceil, inf
from pathlib import Path
from statistics import fmean
from typing import Any

from msgspec import structs

from archscope.ir import Graph
from archscope.records.study import Finalist, Trial
from archscope.search.evaluation import Trainer
from archscope.search.executor import TrainingExecutor
from archscope.search.finalists import best, finalists, searched_only, with_reference
from archscope.search.pilot import Pilot
from archscope.search.reliability import REPEATED, Repeat, repeat, repeated
from archscope.search.study import Study
from archscope.search.time_plan import Clock, FinalPlan, TimePlan, time_plan

LATE = 0.1
"""Share of the remaining time that a stage leaves unplanned, as training times vary."""


Choose = Callable[[Sequence[Trial], int], list[Trial]]
"""Takes networks, the best first, and a number; returns at most that many to train again."""


class Stages:
    """Runs the stages of a search, each only as far as the time allows."""

    def __init__(
        self,
        clock: Clock,
        executor: TrainingExecutor,
        pilot: Pilot,
        trainer: Trainer,
        graph_of: Callable[[dict[str, Any]], Graph],
    ) -> None:
        """Take an executor and trainer; `graph_of` returns the network to train for choices."""
        self.clock, self.executor, self.pilot = clock, executor, pilot
        self.trainer, self.graph_of = trainer, graph_of
        self.planned: TimePlan | None = None

    def plan(self, trainings: int, told: Sequence[Trial], finals: FinalPlan) -> TimePlan:
        """Return the plan for a study of `trainings` trainings, some of which are `told`."""
        done = sum(trial.trained for trial in told)
        self.planned = time_plan(
            self.clock, self._seconds(told), self.executor.workers, trainings, done,
            min(REPEATED, trainings), finals if finals.networks > 1 else None,
        )  # fmt: skip
        return self.planned

    def candidates(self, study: Study, trainings: int, told: Sequence[Trial]) -> str:
        """Run a study from where an earlier run stopped, and return why it ended."""
        clock, executor = self.clock, self.executor
        executor.trainer = self.trainer
        executor.deadline = clock.deadline(clock.left - self._reserve(told))

        stopped = False

        def is_late() -> bool:
            nonlocal stopped
            if clock.limit is not None:
                stopped = does_not_fit()
            return stopped

        def does_not_fit() -> bool:
            if study.history.trainings < len(self.pilot.scores) and self.trainer.cache:
                return clock.left <= 0  # the pilot has already trained these
            busy = ceil((len(study.running) + 1) / executor.workers)
            seconds = busy * self._seconds(study.trials)
            return seconds > clock.left - self._reserve(study.trials)

        study.replay(list(told))
        study.run(trainings, is_late)
        executor.cancel()  # trainings not ready in time
        if study.history.trainings >= trainings:
            return "all trials are done"
        if stopped or (executor.deadline or inf) <= clock.now():
            return f"no more trials fit into {clock.limit:g} s"
        return "every network within the budget that could be found has been trained"

    def repeats(self, trials: Sequence[Trial]) -> tuple[Repeat, ...]:
        """Train some candidates again with another seed."""
        assert self.planned is not None
        many = self.planned.repeats
        if self.clock.limit is not None:
            room = 0.5 * self.clock.left
            while many and ceil(many / self.executor.workers) * self._seconds(trials) > room:
                many -= 1
        self.executor.deadline = self.clock.deadline(0.6 * self.clock.left)
        return repeat(repeated(trials, many), self.trainer, self.graph_of, self.executor)

    def finals(
        self,
        trials: Sequence[Trial],
        finals: FinalPlan,
        folder: Path,
        on_final: Callable[[int, int], None],
        choose: Choose | None = None,
    ) -> tuple[list[Finalist], FinalPlan | None]:
        """Train the best again, and return them with the plan that there was time for.

        `choose` decides which these are; by default those of the best scores. The plan includes the
        best network that the search did not propose. Without any time, the best are returned with
        their scores of the search.
        """
        many = finals.networks - 1
        top = choose(best(trials, len(trials)), many) if choose else best(trials, many)
        chosen = with_reference(top, trials)
        if not chosen:
            return [], None
        wanted = structs.replace(finals, networks=len(chosen))
        room = (1 - LATE) * self.clock.left
        plan = wanted.fitting(self._seconds(trials), self.executor.workers, room)
        last: list[Finalist] = []
        if plan is not None:
            last = finalists(
                chosen[: plan.networks], self.trainer, self.graph_of, self.executor, plan,
                folder=folder, clock=self.clock, on_final=on_final,
            )  # fmt: skip
        return (last, plan) if last else ([searched_only(trial) for trial in chosen], None)

    def _seconds(self, trials: Sequence[Trial]) -> float:
        """Return the mean time of the trainings that were not cached."""
        took = [
            trial.result.seconds
            for trial in trials
            if trial.outcome == "trained" and trial.result and not trial.result.cached
        ]
        return fmean([*took, *[self.pilot.seconds] * len(self.pilot.scores)] or [0.0])

    def _reserve(self, trials: Sequence[Trial]) -> float:
        """Return the expected seconds of repeats and final trainings."""
        assert self.planned is not None
        if self.clock.limit is None:
            return 0.0
        seconds, workers = self._seconds(trials), self.executor.workers
        reserve = ceil(self.planned.repeats / workers) * seconds
        if self.planned.finals is not None:
            reserve += self.planned.finals.seconds(seconds, workers)
        return reserve + LATE * self.clock.left
