"""The interface of executors, which train the networks of a study."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.records.study import Job, TrialResult
from archscope.search.evaluation import Trainer

RETRIES = 1
"""How often a training begins again because its process or machine was lost."""


def lost(times: int, why: str = "") -> str:
    """Return why a training has failed whose process or machine was lost so many times."""
    more = f", {why}" if why else ""
    return f"its process or machine was lost {times} times{more}"


class DeadlineError(Exception):
    """The deadline came before the next result."""


class Executor(Protocol):
    """Trains networks, several at once; results may come in any order."""

    def submit(self, job: Job, graph: Graph) -> None:
        """Queue a job; `graph` is its network."""

    def collect(self) -> TrialResult:
        """Wait for the next result and return it. Raises DeadlineError."""

    def close(self, at_once: bool = False) -> None:
        """Stop, after the trainings that run or, with `at_once`, in the middle of them."""


class TrainingExecutor(Executor, Protocol):
    """An executor for all trainings of a search.

    `trainer` says how jobs are trained that are submitted from now on, `deadline` until when
    results are waited for (`time.perf_counter`; None: for ever).
    """

    trainer: Trainer
    deadline: float | None
    workers: int  # trainings that run at once

    def cancel(self) -> None:
        """Stop all jobs that have no result, and forget them."""


class ExecutorFactory(Protocol):
    """Makes an executor for one way to train."""

    def __call__(
        self, trainer: Trainer, *, seconds: float | None = None, memory_bytes: int | None = None
    ) -> TrainingExecutor:
        """Return an executor that stops each training beyond a time or a memory."""


def check_deadline(deadline: float | None) -> None:
    """Raise DeadlineError if the deadline is over."""
    if deadline is not None and time.perf_counter() >= deadline:
        raise DeadlineError


def train_all(
    executor: TrainingExecutor,
    trainings: Sequence[tuple[Trainer, Graph, str | None]],
    on_result: Callable[[int], None] = lambda done: None,
) -> list[TrialResult | None]:
    """Train networks, each as its trainer says and with the run folder that is kept of it, if any.

    None stands for what was not ready at the executor's deadline. `on_result` is called with the
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
