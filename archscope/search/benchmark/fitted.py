"""A model fitted to a table, used as the truth for every network of the space.

Both kinds are ridge regressions on the decisions and on the logarithms of the costs. `blocks` adds
the joint decisions of each block, as a table for every block; `pairs` also adds all pairs of
decisions, which is closer to the table and harder to search.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.stats import spearmanr

from archscope.errors import OptionError
from archscope.search.benchmark.tables import Table
from archscope.search.benchmark.truth import Known
from archscope.space.budget import Budget, cost_model, limits_need_graph
from archscope.space.costs import CostModel
from archscope.space.factor_model import Factor, FactorModel, Values
from archscope.space.feasible import FeasibleSet
from archscope.space.rows import Rows

FEWEST = 10  # least rows to fit a model to
PENALTY = 10.0
MOST_CELLS = 64  # most combinations of joint decisions
COST_WEIGHT = 3.0  # of standardised log costs relative to features that are 0 or 1
STARTS, CLIMBS, PAIRED, ROUNDS, COPIES = 4096, 24, 8, 3, 64
"""Starting networks of the search for the best, local searches per round, the best of which change
decisions in pairs, and mutated copies of their results."""
TOLERANCE = 1e-9


BLOCKS, PAIRS = "blocks", "pairs"


class FittedTruth:
    """Ridge regression on decisions, some of them jointly, and costs."""

    def __init__(self, table: Table, kind: str = BLOCKS) -> None:
        """Fit the model to a table. Raises OptionError if the table has too few rows."""
        self.space, self.kind = table.space, kind
        if len(table.rows) < FEWEST:
            raise OptionError(f"a model needs at least {FEWEST} rows, got {len(table.rows)}")
        self.feasible = FeasibleSet(table.space, (), CostModel(table.space))
        self.encoding = self.feasible.encoding
        self.rows = self.encoding.rows([row.choices for row in table.rows])
        self.scopes = self._scopes()
        self.center, self.spread = 0.0, 1.0
        costs = self._log_costs(self.rows)
        if costs is not None:
            self.center, self.spread = costs.mean(0), np.maximum(costs.std(0), 1e-9)
        scores = np.array([row.score for row in table.rows])
        coefficients, constant, predicted = _ridge(self._features(self.rows), scores)
        self.factors, self.cost_weights = self._factors(coefficients, constant)
        pairs = ", pairs of any" if kind == PAIRS else ""
        error = float(np.abs(predicted - scores).mean())
        self.about = (
            f"the truth is a ridge regression on decisions, those of a block together{pairs} and"
            f" costs, fitted to {len(scores):,} rows; in leave-one-out cross-validation its"
            f" Spearman correlation is {spearmanr(predicted, scores)[0]:.3f}, its mean error"
            f" {error:.2f}",
        )

    def score(self, choices: dict[str, Any], digest: str) -> float:
        """Return the prediction of the model."""
        return float(self.values(self.encoding.rows([choices]))[0])

    def values(self, rows: Rows) -> Values:
        """Return the predictions of the model for masked rows, (rows,)."""
        values = self.factors.values(rows)
        costs = self._cost_features(rows)
        return values if costs is None else values + costs @ self.cost_weights

    def inside(self, limits: Sequence[Budget]) -> Known:
        """Return the best network within budgets found by an extensive search.

        Raises OptionError if none is found.
        """
        feasible = FeasibleSet(self.space, limits, cost_model(self.space, limits))
        random = np.random.default_rng(0)
        rows = np.concatenate([feasible.draw(STARTS, random), self.rows])
        rows = self._inside(feasible, rows)
        if not len(rows):
            listed = " and ".join(limit.text for limit in limits)
            raise OptionError(f"no network of '{self.space.name}' was found within {listed}")
        best: Rows = rows[:0]
        for _ in range(ROUNDS):
            climbed = [self._climbed(feasible, row) for row in self._first(rows)]
            best = self._first(np.unique(np.concatenate([best, climbed]), axis=0))
            paired = [self._climbed(feasible, row, pairs=True) for row in best[:PAIRED]]
            best = self._first(np.unique(np.concatenate([best, paired]), axis=0))
            rows = np.concatenate([feasible.changed(row, COPIES, random) for row in best])
            rows = self._inside(feasible, np.unique(rows, axis=0))
        about = f"the best that local search from {STARTS:,} networks within the budget finds"
        return Known(float(self.values(best[:1])[0]), about)

    def _inside(self, feasible: FeasibleSet, rows: Rows) -> Rows:
        rows = rows[feasible.inside(rows)] if len(rows) else rows
        if limits_need_graph(feasible.budgets):
            rows = self._first(rows)
            rows = rows[[feasible.fits(row) for row in rows]]
        return rows

    def _first(self, rows: Rows) -> Rows:
        """Return the best rows."""
        return rows[np.argsort(-self.values(rows), kind="stable")[:CLIMBS]] if len(rows) else rows

    def _climbed(self, feasible: FeasibleSet, row: Rows, pairs: bool = False) -> Rows:
        """Return the end of steps to the best network that differs in one or two decisions."""
        value = self.values(row[None])[0]
        while True:
            near = feasible.neighbours(row)
            if pairs:
                near = np.unique(np.concatenate([*map(feasible.neighbours, near)]), axis=0)
            near = self._inside(feasible, near)
            values = self.values(near)
            if not len(near) or values.max() <= value + TOLERANCE:
                return row
            row, value = near[values.argmax()], values.max()

    def _scopes(self) -> list[tuple[int, ...]]:
        """Return the groups of joint decisions, by their columns."""
        sizes = self.encoding.sizes
        columns = [column for column, size in enumerate(sizes) if size > 1]
        scopes: list[tuple[int, ...]] = [(column,) for column in columns]
        if self.kind == PAIRS:
            scopes += combinations(columns, 2)
        blocks: dict[str, list[int]] = {}
        for column in columns:
            path = self.space.decisions[column].path
            blocks.setdefault(path.rpartition(".")[0], []).append(column)
        scopes += [
            tuple(block) for block in blocks.values() if len(block) > 1 + (self.kind == PAIRS)
        ]
        return [scope for scope in scopes if prod(sizes[c] for c in scope) <= MOST_CELLS]

    def _features(self, rows: Rows) -> Values:
        parts = []
        for scope in self.scopes:
            sizes = [self.encoding.sizes[column] for column in scope]
            flat = np.ravel_multi_index([rows[:, column] for column in scope], sizes)
            parts.append(np.eye(prod(sizes))[flat])
        costs = self._cost_features(rows)
        return np.concatenate(parts if costs is None else [*parts, costs], 1)

    def _factors(self, coefficients: Values, constant: float) -> tuple[FactorModel, Values]:
        """Return the coefficients of features as a factor model, and those of costs."""
        factors = []
        begin = 0
        for scope in self.scopes:
            sizes = [self.encoding.sizes[column] for column in scope]
            end = begin + prod(sizes)
            factors.append(Factor(scope, coefficients[begin:end].reshape(sizes)))
            begin = end
        return FactorModel(constant, tuple(factors)), coefficients[begin:]

    def _cost_features(self, rows: Rows) -> Values | None:
        costs = self._log_costs(rows)
        if costs is None:
            return None
        costs = (costs - self.center) / self.spread
        products = [costs[:, i] * costs[:, j] for i in range(3) for j in range(i, 3)]
        return np.concatenate([COST_WEIGHT * costs, np.stack(products, 1)], 1)

    def _log_costs(self, rows: Rows) -> Values | None:
        sums = self.feasible.sums(rows)
        return None if sums is None else np.log(np.maximum(sums[:, [0, 2, 3]], 1))


def _ridge(features: Values, scores: Values) -> tuple[Values, float, Values]:
    """Return the coefficients, the constant and the predictions of a ridge regression.

    Each row is predicted without that row (leave-one-out cross-validation).
    """
    center, level = features.mean(0), float(scores.mean())
    centered = features - center
    normal = cho_factor(centered.T @ centered + PENALTY * np.eye(features.shape[1]))
    coefficients = cho_solve(normal, centered.T @ (scores - level))
    leverage = (centered * cho_solve(normal, centered.T).T).sum(1) + 1 / len(scores)
    residuals = (scores - level - centered @ coefficients) / (1 - leverage)
    return coefficients, level - float(center @ coefficients), scores - residuals
