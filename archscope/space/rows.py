"""Many candidates of a space as rows of numbers: encode, mask and price them in numpy.

A row has the index of each decision's choice among its alternatives. Costs are exactly those of the
tables of the segments; 64-bit integers hold every sum that the language allows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from archscope.errors import SpecError
from archscope.space.cost_tables import CostTables, SegmentTable
from archscope.space.counting import Plan
from archscope.space.decisions import Condition
from archscope.space.search_space import Space
from archscope.space.segments import NotAChainError, Passing

Rows = NDArray[np.int64]
"""(candidates, decisions): indices of choices, in the order of `Space.decisions`."""
Flags = NDArray[np.bool_]
LARGEST_KEY = 2**62


class Encoding:
    """Converts choices to rows and back, and masks inactive decisions."""

    def __init__(self, space: Space) -> None:
        """Take a space. Raises ValueError if it has continuous decisions."""
        self.space = space
        self.values = [decision.values() for decision in space.decisions]
        self.sizes = [len(values) for values in self.values]
        self.places = [
            {_key(value): place for place, value in reversed([*enumerate(values)])}
            for values in self.values
        ]
        self.column = {decision.path: i for i, decision in enumerate(space.decisions)}
        self.default = np.array(
            [
                known[_key(decision.default)]
                for decision, known in zip(space.decisions, self.places, strict=True)
            ],
            np.int64,
        )
        when: dict[tuple[tuple[Condition, ...], ...], list[int]] = {}
        for i, decision in enumerate(space.decisions):
            if decision.when != ((),):
                when.setdefault(decision.when, []).append(i)
        self.rules = [
            ([[self.condition(part) for part in conditions] for conditions in ways], columns)
            for ways, columns in when.items()
        ]

    def rows(self, candidates: Sequence[Mapping[str, Any]]) -> Rows:
        """Return the rows of choices that have a value for every decision."""
        paths = [decision.path for decision in self.space.decisions]
        places = [
            [known[_key(choices[path])] for path, known in zip(paths, self.places, strict=True)]
            for choices in candidates
        ]
        return np.array(places, np.int64).reshape(len(candidates), len(self.values))

    def choices(self, row: Rows) -> dict[str, Any]:
        """Return the choices of a row, by path."""
        placed = zip(self.space.decisions, self.values, row, strict=True)
        return {decision.path: values[place] for decision, values, place in placed}

    def condition(self, condition: Condition) -> tuple[list[int], Flags] | None:
        """Return the columns of a condition, and whether it holds for the indices in them.

        None if it is unknown; then it is assumed to hold.
        """
        if condition.allowed is None:
            return None
        columns = [self.column[path] for path in condition.paths]
        holds = np.zeros([self.sizes[column] for column in columns], bool)
        for row in condition.allowed:
            known = [self.places[column] for column in columns]
            places = [part.get(_key(value)) for part, value in zip(known, row, strict=True)]
            if None not in places:
                holds[tuple(places)] = True
        return columns, holds

    def hold(self, conditions: Iterable[tuple[list[int], Flags] | None], rows: Rows) -> Flags:
        """Return, for each row, whether all conditions hold."""
        result = np.ones(len(rows), bool)
        for condition in conditions:
            if condition is not None:
                columns, holds = condition
                result &= holds[tuple(rows[:, columns].T)]
        return result

    def masked(self, rows: Rows) -> Rows:
        """Return rows with the default where a decision does not count."""
        rows = rows.copy()
        for ways, columns in self.rules:
            counts = np.zeros(len(rows), bool)
            for conditions in ways:
                counts |= self.hold(conditions, rows)
            idle = np.flatnonzero(~counts)
            rows[idle[:, None], columns] = self.default[columns]
        return rows

    def counting(self, rows: Rows) -> Flags:
        """Return, for each masked row, which decisions count."""
        counts = np.ones(rows.shape, bool)
        for ways, columns in self.rules:
            some = np.zeros(len(rows), bool)
            for conditions in ways:
                some |= self.hold(conditions, rows)
            counts[:, columns] = some[:, None]
        return counts


class BatchCosts:
    """Prices rows by the tables of a space."""

    def __init__(self, encoding: Encoding, tables: CostTables) -> None:
        self.encoding, self.tables = encoding, tables
        self.passing: list[Passing] = []
        self.numbers: dict[Passing, int] = {}
        self.columns = [_TableColumns(self, table) for table in tables.tables]

    def sums(self, rows: Rows) -> tuple[NDArray[np.int64], Flags]:
        """Return the sums of the tables for masked rows, and which rows are networks.

        Shapes are (rows, width) and (rows,). Raises NotAChainError if a graph is needed.
        """
        sums = np.zeros((len(rows), self.tables.width), np.int64)
        networks = np.ones(len(rows), bool)
        entering = self._entering(rows)
        present = np.zeros(len(rows), bool)
        for table in self.columns:
            chosen = np.flatnonzero(networks & self.encoding.hold(table.conditions, rows))
            if not len(chosen):
                continue
            places = table.places(rows[chosen], entering[chosen])
            sums[chosen] += table.sums[places]
            entering[chosen] = table.leaving[places]
            networks[chosen] &= table.leaving[places] >= 0
            present[chosen] = True
        if not present.all():
            raise NotAChainError
        if self.tables.extras:
            ends, inverse = np.unique(entering[networks], return_inverse=True)
            added = [self.tables.at_end(self.passing[end]) for end in ends]
            sums[networks] += np.array(added, np.int64).reshape(-1, self.tables.width)[inverse]
        return sums, networks

    def number(self, passing: Passing) -> int:
        """Return the number that represents a segment's input in arrays."""
        if passing not in self.numbers:
            self.numbers[passing] = len(self.passing)
            self.passing.append(passing)
        return self.numbers[passing]

    def _entering(self, rows: Rows) -> NDArray[np.int64]:
        """Return the number of the network's input, for each row."""
        first = self.encoding.choices(rows[0]) if len(rows) else {}
        number = self.number(self.tables.entering(first)) if first else 0
        if not self.tables.input_reads:
            return np.full(len(rows), number, np.int64)
        columns = [self.encoding.column[path] for path in self.tables.input_reads]
        parts, inverse = np.unique(rows[:, columns], axis=0, return_inverse=True)
        numbers = []
        for part in range(len(parts)):
            row = rows[int(np.argmax(inverse.ravel() == part))]
            numbers.append(self.number(self.tables.entering(self.encoding.choices(row))))
        return np.array(numbers, np.int64)[inverse.ravel()]


class _TableColumns:
    """The table of a segment as sorted keys, with their sums and outputs."""

    def __init__(self, batch: BatchCosts, table: SegmentTable) -> None:
        self.batch, self.table = batch, table
        self.conditions = [batch.encoding.condition(part) for part in table.segment.conditions]
        self.reads: tuple[str, ...] = ()
        self.read_columns: list[int] = []
        self._clear()

    def _clear(self) -> None:
        self.keys = np.empty(0, np.int64)
        self.sums = np.empty((0, self.batch.tables.width), np.int64)
        self.leaving = np.empty(0, np.int64)  # numbers of outputs; -1: there is no network

    def places(self, rows: Rows, entering: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the indices of rows in the table, adding missing entries."""
        while True:
            keys = self._keys(rows, entering)
            places = np.searchsorted(self.keys, keys)
            inside = places < len(self.keys)
            missing = ~inside
            missing[inside] = self.keys[places[inside]] != keys[inside]
            if not missing.any():
                return places
            self._fill(rows, entering, keys, np.flatnonzero(missing))

    def _keys(self, rows: Rows, entering: NDArray[np.int64]) -> NDArray[np.int64]:
        keys = entering.astype(np.int64)
        for column in self.read_columns:
            keys = keys * self.batch.encoding.sizes[column] + rows[:, column]
        return keys

    def _fill(
        self, rows: Rows, entering: NDArray[np.int64], keys: NDArray[np.int64], missing: Any
    ) -> None:
        encoding = self.batch.encoding
        _, first = np.unique(keys[missing], return_index=True)
        new = []
        for row in missing[first]:
            choices = encoding.choices(rows[row])
            try:
                sums, leaving = self.table.look_up(choices, self.batch.passing[entering[row]])
                new.append((int(keys[row]), sums, self.batch.number(leaving)))
            except SpecError:
                new.append((int(keys[row]), (0,) * self.batch.tables.width, -1))
            if self.table.reads != self.reads:
                self.reads = self.table.reads
                self.read_columns = [encoding.column[path] for path in self.reads]
                if prod(encoding.sizes[c] for c in self.read_columns) > LARGEST_KEY >> 16:
                    raise NotAChainError
                self._clear()
                return  # the keys have changed
        self.keys = np.concatenate([self.keys, [key for key, _, _ in new]])
        self.sums = np.concatenate([self.sums, np.array([sums for _, sums, _ in new], np.int64)])
        self.leaving = np.concatenate([self.leaving, [number for _, _, number in new]])
        order = np.argsort(self.keys)
        self.keys, self.sums = self.keys[order], self.sums[order]
        self.leaving = self.leaving[order]


def _key(value: Any) -> tuple[Any, bool]:
    """Return a key that distinguishes values: 1 and 1.0 are equal, 1 and true are not."""
    return value, isinstance(value, bool)


def drawn_rows(plan: Plan, encoding: Encoding, number: int, random: np.random.Generator) -> Rows:
    """Return rows of networks drawn uniformly from a plan.

    Probabilities are exact to 53 bits; decisions that do not count have their default.
    """
    rows = np.tile(encoding.default, (number, 1))
    _draw(plan, encoding, rows, np.arange(number), random)
    return rows


def _draw(
    plan: Plan,
    encoding: Encoding,
    rows: Rows,
    chosen: NDArray[np.int64],
    random: np.random.Generator,
) -> None:
    for decision in plan.free:
        column = encoding.column[decision.path]
        rows[chosen, column] = random.integers(encoding.sizes[column], size=len(chosen))
    for branch in plan.branches:
        column = encoding.column[branch.path]
        chances = [option.count / branch.count for _, option in branch.options]
        drawn = random.choice(len(chances), size=len(chosen), p=np.array(chances) / sum(chances))
        for place, (value, option) in enumerate(branch.options):
            part = chosen[drawn == place]
            if len(part):
                rows[part, column] = encoding.places[column][_key(value)]
                _draw(option, encoding, rows, part, random)
