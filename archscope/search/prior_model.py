"""A prior on the networks of a space, for many candidates at once.

If a prior is a sum of parts, each of which depends on few decisions, the parts become tables: rows
are predicted by lookup, and the best network within budgets is proved by `space.optimum`. The
decisions that a part depends on are found by changing one decision at a time, and the tables are
compared with predictions of whole networks before they are used.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from math import prod
from typing import Any, Protocol, runtime_checkable

import numpy as np

from archscope.errors import ArchscopeError, SpecError
from archscope.ir import Graph
from archscope.search.priors import Prediction, Prior
from archscope.space.budget import Budget
from archscope.space.chain import TooWideError
from archscope.space.factor_model import Factor, FactorModel, Values
from archscope.space.feasible import FeasibleSet
from archscope.space.optimum import Optimum, optimum
from archscope.space.rows import Encoding, Rows
from archscope.space.search_space import Space
from archscope.space.segments import NotAChainError

PROBES, CHECKS = 4, 64
"""Networks in which each decision is changed, and with which tables are compared."""
MOST_CELLS = 8_000
"""The most cells in the tables of all parts."""
TOLERANCE = 1e-9

BEST = "best of the prior"
"""Name of the anchor with the best prediction."""

STARTS_WITH_PRIOR = 4
"""Networks drawn uniformly before the sampler chooses, if there is a prior."""


@runtime_checkable
class AdditivePrior(Protocol):
    """A prior whose prediction increases with a sum of parts."""

    def predict(self, graph: Graph) -> Prediction:
        """Return the predicted accuracy of a network."""

    def parts(self, graph: Graph) -> dict[int, float]:
        """Return the parts of the value of a network; every network has the same keys."""

    def accuracy(self, value: float) -> float:
        """Return the accuracy in percent for a sum of parts."""


class PriorModel:
    """Predicts the networks of a space."""

    def __init__(self, prior: Prior, space: Space, seed: int = 0) -> None:
        """Take a prior. Raises NotCoveredError if it does not cover the space."""
        self.prior, self.space = prior, space
        self.encoding = Encoding(space)
        self.known: dict[bytes, float] = {}
        random = np.random.default_rng(seed)
        drawn = FeasibleSet(space, (), _no_costs(space)).draw(CHECKS, random)
        self.factors = self._factors(drawn, random)
        if self.factors is None:
            self.accuracies(drawn[:PROBES])

    def accuracies(self, rows: Rows) -> Values:
        """Return the predicted accuracy in percent of masked rows, (rows,)."""
        if self.factors is not None:
            assert isinstance(self.prior, AdditivePrior)
            accuracy = self.prior.accuracy
            return np.array([accuracy(value) for value in self.factors.values(rows)])
        return np.array([self._predicted(row) for row in rows])

    def accuracy(self, choices: dict[str, Any]) -> float:
        """Return the predicted accuracy in percent of a network."""
        return float(self.accuracies(self.encoding.rows([choices]))[0])

    def best(self, budgets: Sequence[Budget], keep: int = 1) -> Optimum | None:
        """Return the best networks within budgets with a proof; values are in percent.

        None if the prior is not a sum of parts over few decisions, or the space not a chain.
        """
        if self.factors is None:
            return None
        assert isinstance(self.prior, AdditivePrior)
        try:
            found = optimum(self.space, self.factors, budgets, keep=keep)
        except (NotAChainError, TooWideError):
            return None
        accuracy = self.prior.accuracy
        values = np.array([accuracy(value) for value in found.values])
        bound = accuracy(found.bound) if np.isfinite(found.bound) else found.bound
        return Optimum(found.rows, values, bound, found.proved, found.relaxed)

    def anchors(self, budgets: Sequence[Budget]) -> list[tuple[str, dict[str, Any]]]:
        """Return the name and the choices of the best network within budgets, if known."""
        found = self.best(budgets)
        if found is None:
            return []
        return [(BEST, self.encoding.choices(row)) for row in found.rows]

    def _predicted(self, row: Rows) -> float:
        key = row.tobytes()
        if key not in self.known:
            self.known[key] = self.prior.predict(self._graph(row)).mean
        return self.known[key]

    def _graph(self, row: Rows) -> Graph:
        return self.space.graph(self.encoding.choices(row))

    def _factors(self, drawn: Rows, random: np.random.Generator) -> FactorModel | None:
        """Return the tables of all parts; None if they would be too large or are inexact."""
        if not isinstance(self.prior, AdditivePrior):
            return None
        parts = self.prior.parts
        sizes = self.encoding.sizes
        try:
            scopes = self._scopes(drawn[:PROBES], random)
        except SpecError:  # some choices make no network
            return None
        if sum(prod(sizes[column] for column in scope) for scope in scopes.values()) > MOST_CELLS:
            return None
        small = self.encoding.masked(np.zeros((1, len(sizes)), np.int64))[0]
        constant = 0.0
        factors = []
        try:
            for name, scope in scopes.items():
                table = np.zeros([sizes[column] for column in scope])
                for places in product(*[range(sizes[column]) for column in scope]):
                    row = small.copy()
                    row[list(scope)] = places
                    table[places] = parts(self._graph(self.encoding.masked(row[None])[0]))[name]
                if scope:
                    factors.append(Factor(scope, table))
                else:
                    constant += float(table)
        except ArchscopeError:  # these choices make no network
            return None
        model = FactorModel(constant, tuple(factors))
        whole = [sum(parts(self._graph(row)).values()) for row in drawn]
        return model if np.allclose(model.values(drawn), whole, rtol=0, atol=TOLERANCE) else None

    def _scopes(self, rows: Rows, random: np.random.Generator) -> dict[int, tuple[int, ...]]:
        """Return the columns that each part depends on."""
        assert isinstance(self.prior, AdditivePrior)
        found: dict[int, set[int]] = {}
        for row in rows:
            before = self.prior.parts(self._graph(row))
            for column, size in enumerate(self.encoding.sizes):
                changed = row.copy()
                changed[column] = (row[column] + random.integers(1, max(size, 2))) % size
                changed = self.encoding.masked(changed[None])[0]
                after = self.prior.parts(self._graph(changed))
                for name, value in after.items():
                    scope = found.setdefault(name, set())
                    if abs(value - before[name]) > TOLERANCE:
                        scope.update(np.flatnonzero(changed != row).tolist())
        return {name: tuple(sorted(scope)) for name, scope in found.items()}


def _no_costs(space: Space) -> Any:
    from archscope.space.costs import CostModel

    return CostModel(space)
