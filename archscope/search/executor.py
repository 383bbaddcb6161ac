"""The interface of executors, which train the networks of a study."""

from __future__ import annotations

from typing import Protocol

from archscope.ir import Graph
from archscope.records.study import Job, TrialResult
from archscope.search.evaluation import Trainer


class Executor(Protocol):
    """Trains networks, several at once; results may come in any order."""

    def submit(self, job: Job, graph: Graph) -> None:
        """Queue a job; `graph` is its network."""

    def collect(self) -> TrialResult:
        """Wait for the next result and return it."""

    def close(self, at_once: bool = False) -> None:
        """Stop, after the trainings that run or, with `at_once`, in the middle of them."""


class ExecutorFactory(Protocol):
    """Makes an executor for one way to train."""

    def __call__(
        self, trainer: Trainer, *, seconds: float | None = None, memory_bytes: int | None = None
    ) -> Executor:
        """Return an executor that stops each training beyond a time or a memory."""
