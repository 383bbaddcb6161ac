"""Draw, test and vary the networks of a space that lie within budgets, as rows."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archscope.space.budget import Budget, violation
from archscope.space.budget_counting import InsideBudget
from archscope.space.chain import Chain, TooWideError
from archscope.space.costs import CostModel, array_costs
from archscope.space.counting import Plan, TooManyError, plan
from archscope.space.rows import BatchCosts, Encoding, Flags, Rows, drawn_rows
from archscope.space.search_space import Space
from archscope.space.segments import NotAChainError

BATCH, MOST_BATCHES = 4096, 64
SLOW_BATCH = 256  # if every candidate needs a graph
RARE = 0.05  # below this share of networks within the budgets, drawing uses counting


class FeasibleSet:
    """The networks of a space within budgets.

    Budgets that need a graph are only tested by `fits`, not by `inside` and `draw`; measured ones
    are never tested.
    """

    def __init__(self, space: Space, budgets: Sequence[Budget], cost_model: CostModel) -> None:
        """Take a space. Raises ValueError for a continuous decision."""
        self.encoding = Encoding(space)
        self.budgets, self.cost_model = tuple(budgets), cost_model
        tables = cost_model.tables
        self.batch = None if tables is None else BatchCosts(self.encoding, tables)
        self.plan: Plan | None = None  # None if networks cannot be counted
        with suppress(TooManyError):
            self.plan = plan(space)

    def masked(self, rows: Rows) -> Rows:
        """Return rows with defaults for decisions that do not count."""
        return self.encoding.masked(rows)

    def sums(self, rows: Rows) -> NDArray[np.int64] | None:
        """Return the sums of the tables for masked rows, (rows, width); None if there are none."""
        priced = self._priced(rows)
        return None if priced is None else priced[0]

    def inside(self, rows: Rows) -> Flags:
        """Return, for each masked row, whether it is a network within the budgets."""
        priced = self._priced(rows)
        if priced is None:
            return np.array([self.fits(row) for row in rows], bool)
        sums, networks = priced
        costs = array_costs(sums, self.cost_model.dtype, self.cost_model.summed)
        for budget in self.budgets:
            if budget.cost in costs:
                most = np.inf if budget.most is None else budget.most
                values = costs[budget.cost]
                networks &= (values <= most) & (values >= (budget.least or 0))
        return networks

    def _priced(self, rows: Rows) -> tuple[NDArray[np.int64], Flags] | None:
        if self.batch is None or not len(rows):
            return None
        try:
            return self.batch.sums(rows)
        except NotAChainError:
            self.batch = None
            return None

    def fits(self, row: Rows) -> bool:
        """Return whether a masked row is a network inside all static budgets."""
        return violation(self.budgets, self.cost_model.masked(self.encoding.choices(row))) == 0

    def draw(self, number: int, random: np.random.Generator) -> Rows:
        """Return up to `number` rows within the budgets, drawn uniformly.

        There may be fewer if few of many draws are inside.
        """
        size = BATCH if self.batch is not None else SLOW_BATCH
        found: list[Rows] = []
        have = 0
        for _ in range(MOST_BATCHES):
            if self._counted is None:
                rows = self._any(size, random)
            else:
                rows = self._counted.draw(max(number - have, SLOW_BATCH), random)
            found.append(rows[self.inside(rows)] if len(rows) else rows)
            have += len(found[-1])
            if have >= number or not len(rows):
                break
        return np.concatenate(found)[:number]

    def _any(self, number: int, random: np.random.Generator) -> Rows:
        if self.plan is not None:
            return drawn_rows(self.plan, self.encoding, number, random)
        sizes = self.encoding.sizes
        drawn = [random.integers(size, size=number) for size in sizes]
        return self.masked(np.stack(drawn, 1).astype(np.int64))

    @cached_property
    def _counted(self) -> InsideBudget | None:
        """The networks inside or near the ends of a budget, if few are inside; otherwise None."""
        sums = [limit for limit in self.budgets if limit.is_sum]
        if self.batch is None or self.plan is None or not sums:
            return None
        if self.inside(self._any(BATCH, np.random.default_rng(0))).mean() >= RARE:
            return None
        dtype = self.cost_model.dtype
        try:
            chain = Chain(self.encoding, extras=self.cost_model.summed)
            found = [
                InsideBudget.rounded(chain, limit, self.plan.count, dtype, surely=False)
                for limit in sums
            ]
        except (NotAChainError, TooWideError):
            return None
        return min(found, key=lambda inside: inside.count)

    def neighbours(self, row: Rows) -> Rows:
        """Return the networks that differ from a masked row in one active decision."""
        counts = self.encoding.counting(row[None])[0]
        changes: list[Any] = [
            (column, value)
            for column, size in enumerate(self.encoding.sizes)
            if counts[column]
            for value in range(size)
            if value != row[column]
        ]
        rows = np.repeat(row[None], len(changes), 0)
        for place, (column, value) in enumerate(changes):
            rows[place, column] = value
        return self.masked(rows)

    def changed(self, row: Rows, number: int, random: np.random.Generator) -> Rows:
        """Return copies of a row with one to three decisions drawn anew."""
        rows = np.repeat(row[None], number, 0)
        sizes = np.array(self.encoding.sizes)
        columns = random.choice(np.flatnonzero(sizes > 1), size=(number, 3))
        values = random.integers(sizes[columns])
        times = random.integers(1, 4, size=number)
        for turn in range(3):
            chosen = np.flatnonzero(times > turn)
            rows[chosen, columns[chosen, turn]] = values[chosen, turn]
        return self.masked(rows)
