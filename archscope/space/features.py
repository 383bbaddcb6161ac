"""Networks of a space as points, so that models of their scores can tell how near they are."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archscope.space.batches import Encoding, Rows

Points = NDArray[np.float64]


class Features:
    """Places rows so that the squared distance of two is the share of decisions they differ in.

    Values that stand in an order differ by half their mismatch and half their distance in that
    order. A decision that does not count has a value of its own.
    """

    def __init__(self, encoding: Encoding) -> None:
        self.encoding = encoding
        self.columns = [i for i, size in enumerate(encoding.sizes) if size > 1]

    def points(self, rows: Rows) -> Points:
        """Return the points of masked rows, (rows, dimensions)."""
        counts = self.encoding.counting(rows)
        parts = []
        for column in self.columns:
            size = self.encoding.sizes[column]
            place = np.where(counts[:, column], rows[:, column], size)
            decision = self.encoding.space.decisions[column]
            weight = 0.25 if decision.ordered else 0.5
            parts.append(np.eye(size + 1)[place] * np.sqrt(weight))
            if decision.ordered:
                steps = rows[:, column, None] > np.arange(size - 1)
                parts.append(steps * np.sqrt(0.5 / (size - 1)))
        return np.asarray(np.concatenate(parts, 1) / np.sqrt(len(self.columns)))
