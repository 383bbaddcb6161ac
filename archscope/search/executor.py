"""The interface of executors, which train the networks of a study."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Protocol

from msgspec import Struct, structs

from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.records.study import Job, TrialResult
from archscope.search.evaluation import Trainer

RETRIES = 1
"""How often a training is restarted after its process or machine was lost."""


def lost(times: int, why: str = "") -> str:
    """Return the reason of a training that failed because its process or machine was lost."""
    more = f", {why}" if why else ""
    return f"its process or machine was lost {times} times{more}"


class Running(Struct, frozen=True):
    """A job without a result, with the trainer that it was submitted with."""

    job: Job
    trainer: Trainer
    began: float  # seconds since the executor started
    losses: int = 0  # how often its process or machine was lost

    def again(self) -> Running:
        """Return the job to start again after a loss."""
        return structs.replace(self, losses=self.losses + 1)


class DeadlineError(Exception):
    """The deadline passed before the next result."""


class Executor(Protocol):
    """Trains several networks at once; results come in any order."""

    def submit(self, job: Job, graph: Graph) -> None:
        """Queue a job; `graph` is its network."""

    def collect(self) -> TrialResult:
        """Wait for the next result and return it. Raises DeadlineError."""

    def close(self, at_once: bool = False) -> None:
        """Stop after the running trainings, or with `at_once` immediately."""


class TrainingExecutor(Executor, Protocol):
    """An executor for all trainings of a search.

    `trainer` applies to jobs submitted from now on; `deadline` limits the wait for results
    (`time.perf_counter`; None: no limit).
    """

    trainer: Trainer
    deadline: float | None
    workers: int  # number of parallel trainings

    def cancel(self) -> None:
        """Stop and drop all jobs without a result."""


class ExecutorFactory(Protocol):
    """Creates an executor."""

    def __call__(
        self, trainer: Trainer, *, seconds: float | None = None, memory_bytes: int | None = None
    ) -> TrainingExecutor:
        """Return an executor that limits the time and memory of each training."""


@contextmanager
def stopped_at_end(executor: TrainingExecutor) -> Iterator[TrainingExecutor]:
    """Stop an executor at the end of the block, with its running trainings."""
    try:
        yield executor
    finally:
        executor.close(at_once=True)


def check_deadline(deadline: float | None) -> None:
    """Raise DeadlineError if the deadline has passed."""
    if deadline is not None and time.perf_counter() >= deadline:
        raise DeadlineError


def train_all(
    executor: TrainingExecutor,
    trainings: Sequence[tuple[Trainer, Graph, str | None]],
    on_result: Callable[[int], None] = lambda done: None,
) -> list[TrialResult | None]:
    """Train networks, each with its own trainer and run folder, if that is to be kept.

    Results that were not ready at the executor's deadline are None. `on_result` is called with the
    number of results so far.
    """
    found: list[TrialResult | None] = [None] * len(trainings)
    for place, (trainer, graph, keep) in enumerate(trainings):
        executor.trainer = trainer
        executor.submit(Job(place, to_yaml(graph), "", keep=keep), graph)
    try:
        for done in range(len(trainings)):
            result = executor.collect()
            found[result.number] = result
            on_result(done + 1)
    except DeadlineError:
        executor.cancel()
    return found
