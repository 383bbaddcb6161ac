"""The stages of a search end in time, whatever a training takes."""

from __future__ import annotations

from pathlib import Path

import pytest
from msgspec import structs

from archscope.contracts.samplers import STRATEGY, FakeExecutor
from archscope.ir import Graph
from archscope.records.study import Job, TrialResult
from archscope.search.evaluation import Trainer
from archscope.search.executor import DeadlineError
from archscope.search.pilot import Pilot
from archscope.search.stages import Stages
from archscope.search.study import Study
from archscope.search.time_plan import Clock, FinalPlan
from archscope.space.search_space import Space
from tests.search.test_study import small_space  # noqa: F401  the fixture

PILOT = Pilot(1, None, 0, (0.5, 0.6), 0.1, 100, 10.0, "")
FINALS = FinalPlan(3, 2, 2)


class Timed(FakeExecutor):
    """Trains in a time of its own, by a clock of its own, as many at once as it has workers."""

    def __init__(self, seconds: float, workers: int) -> None:
        super().__init__()
        self.seconds, self.workers = seconds, workers
        self.trainer = Trainer(data="none", recipe={"epochs": 1})
        self.deadline: float | None = None
        self.time = 0.0
        self.free = [0.0] * workers
        self.ends: list[float] = []

    def now(self) -> float:
        return self.time

    def submit(self, job: Job, graph: Graph) -> None:
        super().submit(job, graph)
        place = self.free.index(min(self.free))
        took = self.seconds * self.trainer.recipe["epochs"]
        took = min(took, self.trainer.recipe.get("max_time", took) + 0.1 * self.seconds)
        self.free[place] = max(self.free[place], self.time) + took
        self.ends.append(self.free[place])

    def collect(self) -> TrialResult:
        end = min(self.ends)
        if self.deadline is not None and end > self.deadline:
            self.time = max(self.time, self.deadline)
            raise DeadlineError
        place = self.ends.index(end)
        self.ends.pop(place)
        self.time = max(self.time, end)
        return structs.replace(self.result(self.jobs.pop(place)), seconds=self.seconds)

    def result(self, job: Job) -> TrialResult:
        if not job.digest:  # of a last training
            return TrialResult(job.number, "trained", 0.5, {"top1": 0.5})
        return super().result(job)

    def cancel(self) -> None:
        self.jobs.clear()
        self.ends.clear()
        self.free = [self.time] * self.workers


@pytest.mark.parametrize(
    ("limit", "seconds", "workers"),
    [(None, 10, 2), (30, 2, 1), (40, 9, 2), (90, 45, 4), (300, 13, 3), (2000, 120, 1), (25, 20, 1)],
)
def test_a_search_ends_in_time(
    small: Space,
    tmp_path: Path,
    limit: float | None,
    seconds: float,
    workers: int,
) -> None:
    executor = Timed(seconds, workers)
    clock = Clock(limit, executor.now)
    trainer = Trainer(data="none", recipe={"epochs": 1}, cache=False)
    stages = Stages(clock, executor, PILOT, trainer, small.graph)
    study = Study(small, STRATEGY, executor)
    plan = stages.plan(12, [], FINALS)
    reason = stages.candidates(study, 12, [])
    repeats = stages.repeats(study.trials)
    last, done = stages.finals(study.trials, FINALS, tmp_path, lambda done, total: None)
    assert limit is None or executor.time <= limit
    trained = [trial for trial in study.trials if trial.trained]
    if limit is None:
        assert (len(trained), len(repeats)) == (12, 4)
        assert done is not None and (done.seeds, done.stretch) == (2, 2)
        assert reason == "all trials are done" and plan.trainings == 12
        assert all(len(row.scores) == 2 and row.runs for row in last)
    elif len(trained) < 12:
        assert reason == f"no more trials fit into {limit:g} s"
    assert bool(last) == bool(trained)


def test_without_time_for_more_the_best_of_the_search_stand(
    small: Space,
    tmp_path: Path,
) -> None:
    executor = Timed(10.0, 1)
    study = Study(small, STRATEGY, executor)
    study.run(3)
    clock = Clock(4.0, executor.now)
    stages = Stages(clock, executor, PILOT, executor.trainer, small.graph)
    last, done = stages.finals(study.trials, FINALS, tmp_path, lambda done, total: None)
    assert done is None and not any(row.runs for row in last)
    best = max(trial.accuracy or 0.0 for trial in study.trials)
    assert last[0].mean == pytest.approx(best)
