"""Who trains the networks of a study, and where."""

from __future__ import annotations

from typing import Protocol

from archscope.ir import Graph
from archscope.records.study import Job, TrialResult
from archscope.search.evaluation import Trainer


class Judge(Protocol):
    """Who trains networks. Answers may come in any order."""

    def submit(self, job: Job, graph: Graph) -> None:
        """Take a job; it may wait for others."""

    def collect(self) -> TrialResult:
        """Return the next verdict, waiting for it."""

    def close(self, at_once: bool = False) -> None:
        """Take no more jobs, after the work in hand or at once."""


class Crew(Protocol):
    """Where networks are trained: makes a judge for one way to train them."""

    def __call__(
        self, trainer: Trainer, *, seconds: float | None = None, bytes_: int | None = None
    ) -> Judge:
        """Return a judge that holds each training to a time and a memory."""
