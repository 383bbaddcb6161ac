"""The executor that asks a prior instead of training."""

from __future__ import annotations

from archscope.ir import Graph
from archscope.records.study import Job, TrialResult
from archscope.search.priors import NotCoveredError, Prior


class PriorExecutor:
    """Answers each job with the accuracy predicted by a prior."""

    def __init__(self, prior: Prior) -> None:
        self.prior = prior
        self.waiting: list[TrialResult] = []

    def submit(self, job: Job, graph: Graph) -> None:
        """Predict a network."""
        try:
            found = self.prior.predict(graph)
        except NotCoveredError as error:
            self.waiting.append(TrialResult(job.number, "failed", reason=str(error)))
            return
        scores = {"predicted": found.mean / 100, "low": found.low / 100, "high": found.high / 100}
        self.waiting.append(TrialResult(job.number, "predicted", found.mean / 100, scores))

    def collect(self) -> TrialResult:
        """Return the oldest answer."""
        return self.waiting.pop(0)

    def close(self, at_once: bool = False) -> None:
        """Drop the answers that were not collected."""
        self.waiting.clear()
