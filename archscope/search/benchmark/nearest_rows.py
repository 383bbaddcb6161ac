"""Replace proposals by the nearest row of a table that has only some networks of a space."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archscope.search.benchmark.tables import Table
from archscope.search.distributions import choices_of
from archscope.search.proposals import Proposal, Proposer
from archscope.space.feasible import FeasibleSet
from archscope.space.rows import Rows


class NearestRows(Proposer):
    """Proposes rows of a table that are within the budgets, each once.

    They are the nearest to the proposals of a sampler, which the learner never sees. So all
    samplers are treated alike, whether they could choose among given networks or not.
    """

    def __init__(self, proposer: Proposer, table: Table) -> None:
        """Take the proposer of a study, and a table of its space."""
        super().__init__(proposer.context)
        feasible = FeasibleSet(table.space, self.context.strategy.budgets, self.context.cost_model)
        self.encoding = feasible.encoding
        rows = np.unique(self.encoding.rows([row.choices for row in table.rows]), axis=0)
        self.rows = rows[[feasible.fits(row) for row in rows]]
        self.points = self._points(self.rows)
        self.left = np.ones(len(self.rows), bool)

    def anchors(self) -> Iterator[Proposal]:
        """Propose the rows nearest to the anchors."""
        yield from self._moved(super().anchors())

    def sampled(self) -> Iterator[Proposal]:
        """Propose the rows nearest to the proposals of the sampler."""
        yield from self._moved(super().sampled())

    def uniform(self, origin: str) -> Iterator[Proposal]:
        """Propose rows drawn uniformly."""
        random = np.random.default_rng(self.context.seed())
        for place in random.permutation(np.flatnonzero(self.left)):
            yield self._row(int(place)), origin

    def _moved(self, proposals: Iterator[Proposal]) -> Iterator[Proposal]:
        for draw, origin in proposals:
            if not self.left.any():
                return
            choices = self.context.space.masked(choices_of(draw, self.context.space))
            self.context.learner.tell(draw, "passed", ())
            point = self._points(self.encoding.rows([choices]))
            distance = np.square(self.points - point).sum(1)
            yield self._row(int(np.argmin(np.where(self.left, distance, np.inf)))), origin

    def _row(self, place: int) -> Any:
        self.left[place] = False
        return self.context.learner.enqueue(self.encoding.choices(self.rows[place]))

    def _points(self, rows: Rows) -> NDArray[np.float64]:
        """Return points whose squared distance counts differing decisions.

        For ordered values, half of it is their distance.
        """
        parts = []
        for column, decision in enumerate(self.encoding.space.decisions):
            size = self.encoding.sizes[column]
            ordered = decision.ordered
            parts.append(np.eye(size)[rows[:, column]] * np.sqrt(0.25 if ordered else 0.5))
            if ordered:
                steps = rows[:, column, None] > np.arange(size - 1)
                parts.append(steps * np.sqrt(0.5 / (size - 1)))
        return np.concatenate(parts, 1)
