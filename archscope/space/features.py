"""Networks of a space as points, so that models of their scores have a distance."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from archscope.space.feasible import FeasibleSet
from archscope.space.rows import Rows

Points = NDArray[np.float64]

COST_WEIGHT = 0.1
"""The distance of networks whose log costs differ by one standard deviation."""


class Features:
    """Maps rows to points whose squared distance is the share of decisions that differ.

    For ordered values, half of the difference is the mismatch and half the distance in that order.
    An inactive decision has a value of its own. If costs are sums over segments, params, macs and
    memory access add a little distance.
    """

    def __init__(self, feasible: FeasibleSet, typical: Rows) -> None:
        """Take typical rows, by which costs are standardised."""
        self.feasible, self.encoding = feasible, feasible.encoding
        self.columns = [i for i, size in enumerate(self.encoding.sizes) if size > 1]
        scale = np.sqrt(len(self.columns))
        self.tables = [self._table(column) / scale for column in self.columns]
        costs = self._log_costs(typical)
        self.center: Any = 0.0
        self.spread: Any = 1.0
        if costs is not None:
            self.center, self.spread = costs.mean(0), np.maximum(costs.std(0), 1e-9)

    def points(self, rows: Rows) -> Points:
        """Return the points of masked rows, (rows, dimensions)."""
        counts = self.encoding.counting(rows)
        parts = [
            table[np.where(counts[:, column], rows[:, column], len(table) - 1)]
            for column, table in zip(self.columns, self.tables, strict=True)
        ]
        points = np.concatenate(parts, 1)
        costs = self._log_costs(rows)
        if costs is None:
            return np.asarray(points)
        return np.concatenate([points, COST_WEIGHT * (costs - self.center) / self.spread], 1)

    def _table(self, column: int) -> Points:
        """Return the coordinates of each choice of a decision, and last those if it is inactive."""
        size, decision = self.encoding.sizes[column], self.encoding.space.decisions[column]
        if not decision.ordered:
            return np.asarray(np.eye(size + 1) * np.sqrt(0.5))
        steps = np.arange(size + 1)[:, None] > np.arange(size - 1)
        steps[size] = self.encoding.default[column] > np.arange(size - 1)
        return np.hstack([np.eye(size + 1) * np.sqrt(0.25), steps * np.sqrt(0.5 / (size - 1))])

    def _log_costs(self, rows: Rows) -> Points | None:
        sums = self.feasible.sums(rows)
        return None if sums is None else np.asarray(np.log(np.maximum(sums[:, [0, 2, 3]], 1)))
