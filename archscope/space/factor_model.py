"""Additive models of networks: a sum of values, each for the choices of a few decisions."""

from __future__ import annotations

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from archscope.space.rows import Rows

Values = NDArray[np.float64]


class Factor(Struct, frozen=True):
    """A value for each combination of choices of a few decisions.

    `columns` are indices into `Space.decisions`; `values` has an axis for each, whose length is the
    number of alternatives. A decision that does not count has its default.
    """

    columns: tuple[int, ...]
    values: Values


class FactorModel(Struct, frozen=True):
    """A constant plus a sum of factors; a decision may be in several factors or in none."""

    constant: float
    factors: tuple[Factor, ...]

    def values(self, rows: Rows) -> Values:
        """Return the value of each masked row, (rows,)."""
        values = np.full(len(rows), self.constant)
        for factor in self.factors:
            values += factor.values[tuple(rows[:, column] for column in factor.columns)]
        return values
