"""A space as a chain of states and moves, for dynamic programming over its networks.

The state before a segment is its input, mainly a shape, and the choices that later segments still
read. A move makes the decisions that are first read here and passes the segment: it has a cost and
leads to a state before the next segment. Each network is one path along the chain, so counting,
drawing and optimising networks are passes over the moves.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from math import ceil, floor
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from archscope.errors import SpecError
from archscope.space.additive_costs import AdditiveCost
from archscope.space.budget import Budget
from archscope.space.cost_tables import SUMS, SegmentTable
from archscope.space.costs import array_costs
from archscope.space.rows import Encoding, Rows
from archscope.space.segments import NotAChainError

Integers = NDArray[np.int64]
Scope = tuple[int, ...]
"""Columns of an `Encoding` whose choices are read together."""
State = tuple[int, Scope]
"""The number of the passing input, and the indices of the choices that are still to be read."""

MOST_STATES = 200_000
MOST_MOVES = 1_000_000


class TooWideError(Exception):
    """There are too many states, moves, costs or networks to distinguish."""


class Moves(Struct, frozen=True):
    """The moves past a segment, sorted by source state."""

    source: Integers  # numbers of states before the segment
    target: Integers  # numbers of states before the next segment
    sums: Integers  # (moves, width): those of `CostTables`
    columns: Scope  # the decisions made here
    picks: Rows  # (moves, decisions made here)
    scoped: dict[int, Integers]
    """The flat indices of the choices in each scope that is complete here, by its number."""
    first: Integers  # (states + 1,): index of the first move of each state

    def leaving(self, states: Integers) -> tuple[Integers, Integers]:
        """Return all moves out of states, as indices of the states and of the moves."""
        numbers = self.first[states + 1] - self.first[states]
        place = np.repeat(np.arange(len(states)), numbers)
        begin = np.cumsum(numbers) - numbers
        return place, np.arange(len(place)) - begin[place] + self.first[states][place]

    def best(self, ufunc: np.ufunc, values: Any, none: float) -> Any:
        """Return `ufunc.reduce` over the moves of each state, `none` for states without moves."""
        states = len(self.first) - 1
        found = np.full((states, *values.shape[1:]), none, values.dtype)
        leaves = np.flatnonzero(np.diff(self.first))
        if len(leaves):
            found[leaves] = ufunc.reduceat(values, self.first[leaves])
        return found


class Chain:
    """The states and moves of a space, from the state before the first segment to the end."""

    def __init__(
        self,
        encoding: Encoding,
        scopes: Sequence[Scope] = (),
        extras: Sequence[AdditiveCost] = (),
    ) -> None:
        """Take the encoding of a space, and scopes, each of which is in `scoped` of one place.

        `extras` are costs in addition to the sums of every segment. Raises NotAChainError for a
        space that is not a chain of segments, and TooWideError.
        """
        tables = encoding.space.cost_tables_with(extras)
        if tables is None or all(table.segment.conditions for table in tables.tables):
            raise NotAChainError("the space is not a chain of segments with one value between them")
        self.encoding, self.scopes = encoding, tuple(map(tuple, scopes))
        self.whole, self.tables = tables, tables.tables
        self.extras = {extra.name: place for place, extra in enumerate(extras)}
        self.passing: list[Any] = []
        self.numbers: dict[Any, int] = {}
        self.parents = [
            {encoding.column[path] for way in decision.when for part in way for path in part.paths}
            for decision in encoding.space.decisions
        ]
        self.conditions = [
            [[encoding.condition(part) for part in way] for way in decision.when]
            for decision in encoding.space.decisions
        ]
        self.steps = [_Step(self, table) for table in self.tables]
        self.start = self.number(tables.entering(encoding.space.defaults))
        if tables.input_reads:
            raise TooWideError("the shape of the input is open")
        self.moves = self._compiled()

    def costs(self, place: int, metrics: Sequence[str], dtype: str) -> Integers:
        """Return the costs of the moves at a place as integers, (moves, metrics)."""
        sums = self.moves[place].sums
        costs = array_costs(sums, dtype)
        costs |= {name: sums[:, SUMS + at] for name, at in self.extras.items()}
        parts = [costs[metric] for metric in metrics]
        return np.stack(parts, 1) if parts else np.empty((len(sums), 0), np.int64)

    def ends(self, limit: Budget) -> tuple[int, int | None]:
        """Return the least and the most of a budget as integers, in the scale of `costs`."""
        at = self.extras.get(limit.cost)
        per = 1 if at is None else self.whole.extras[at].per
        # A product may be off by a rounding error, by which a network at the limit would fall out.
        least = ceil((limit.least or 0) * per)
        least -= (least - 1) / per >= (limit.least or 0)
        if limit.most is None:
            return least, None
        most = floor(limit.most * per)
        return least, most + ((most + 1) / per <= limit.most)

    def to_go(
        self, ufunc: np.ufunc, costs: Sequence[NDArray[Any]], none: float
    ) -> list[NDArray[Any]]:
        """Return the `ufunc`, minimum or maximum, of the cost sums from each state to the end.

        `costs` has the costs of the moves at each place. The result has an array for each place and
        for the end, with a number for each state, `none` for states from which no network leads on.
        """
        ends = int(self.moves[-1].target.max(initial=-1)) + 1
        found = [np.zeros((ends, *costs[-1].shape[1:]), costs[-1].dtype)]
        for moves, cost in zip(reversed(self.moves), reversed(costs), strict=True):
            found.append(moves.best(ufunc, cost + found[-1][moves.target], none))
        return found[::-1]

    def rows(self, ways: Sequence[Integers]) -> Rows:
        """Return the rows of networks, given the moves of all networks at each place."""
        rows = np.tile(self.encoding.default, (len(ways[0]), 1))
        for moves, taken in zip(self.moves, ways, strict=True):
            rows[:, moves.columns] = moves.picks[taken]
        return rows

    def number(self, passing: Any) -> int:
        """Return the number of an input that passes between segments."""
        if passing not in self.numbers:
            self.numbers[passing] = len(self.passing)
            self.passing.append(passing)
        return self.numbers[passing]

    def _compiled(self) -> list[Moves]:
        """Return the moves of all places; this may reveal further reads, then it starts again."""
        while True:
            self._schedule()
            before = [table.reads for table in self.tables]
            states: list[State] = [(self.start, ())]
            compiled = []
            for place in range(len(self.steps)):
                moves, states = self._moves(place, states)
                compiled.append(moves)
            if before == [table.reads for table in self.tables]:
                return [*compiled, self._moves(len(self.steps), states)[0]]

    def _schedule(self) -> None:
        """Determine the place at which each decision is made and each scope is complete."""
        needs = [self._with_parents(step.columns()) for step in self.steps]
        first: dict[int, int] = {}
        for place, need in enumerate(needs):
            for column in need:
                first.setdefault(column, place)
        needs.append(set())
        self.complete: list[list[int]] = [[] for _ in needs]
        for number, scope in enumerate(self.scopes):
            whole = self._with_parents(scope)
            place = max((first[column] for column in whole if column in first), default=-1)
            needs[place] |= whole
            self.complete[place].append(number)
        needs[-1] |= self._with_parents(set(range(len(self.encoding.sizes))).difference(*needs))
        last = {column: place for place, need in enumerate(needs) for column in need}
        live: list[int] = []
        self.live: list[Scope] = []  # columns of the states before each place
        self.made: list[list[int]] = []  # columns of the decisions made there, parents first
        for place, need in enumerate(needs):
            self.live.append(tuple(live))
            self.made.append(self._parents_first(need - set(live)))
            live = [column for column in [*live, *self.made[-1]] if last[column] > place]
        self.live.append(())

    def _with_parents(self, columns: Iterable[int]) -> set[int]:
        found: set[int] = set()
        todo = list(columns)
        while todo:
            column = todo.pop()
            if column not in found:
                found.add(column)
                todo += self.parents[column]
        return found

    def _parents_first(self, columns: set[int]) -> list[int]:
        order: list[int] = []
        while columns:
            ready = sorted(column for column in columns if not self.parents[column] & columns)
            order += ready
            columns = columns - {*ready}
        return order

    def _moves(self, place: int, states: list[State]) -> tuple[Moves, list[State]]:
        """Return the moves at a place, and the states that they lead to."""
        order = (*self.live[place], *self.made[place])
        at = {column: position for position, column in enumerate(order)}
        keep = [at[column] for column in self.live[place + 1]]
        step = self.steps[place] if place < len(self.steps) else None
        numbers: dict[State, int] = {}
        moves: list[tuple[int, ...]] = []
        rows: list[Scope] = []
        for source, (shape, held) in enumerate(states):
            for row in self._assignments(place, held, at):
                found = self._ended(shape) if step is None else step.passed(shape, row, at)
                if found is None:
                    continue
                sums, leaving = found
                state = leaving, tuple([row[position] for position in keep])
                moves.append((source, numbers.setdefault(state, len(numbers)), *sums))
                rows.append(row)
            if len(moves) > MOST_MOVES or len(numbers) > MOST_STATES:
                raise TooWideError("too many choices must be kept along the chain")
        table = np.array(moves, np.int64).reshape(-1, 2 + self.whole.width)
        chosen = np.array(rows, np.int64).reshape(len(moves), len(order))
        scoped = {number: self._flat(number, chosen, at) for number in self.complete[place]}
        first = np.searchsorted(table[:, 0], np.arange(len(states) + 1))
        made = tuple(self.made[place])
        picks = chosen[:, [at[column] for column in made]]
        return Moves(table[:, 0], table[:, 1], table[:, 2:], made, picks, scoped, first), [*numbers]

    def _ended(self, passing: int) -> tuple[tuple[int, ...], int]:
        """Return the cost added at the end, and the common final state."""
        return self.whole.at_end(self.passing[passing]), 0

    def _flat(self, number: int, chosen: Rows, at: dict[int, int]) -> Integers:
        """Return the flat indices of choices in a scope's table, which has an axis for each."""
        flat = np.zeros(len(chosen), np.int64)
        for column in self.scopes[number]:
            flat = flat * self.encoding.sizes[column] + chosen[:, at[column]]
        return flat

    def _assignments(self, place: int, held: Scope, at: dict[int, int]) -> Iterable[Scope]:
        """Return the held choices with all combinations of the decisions of a place."""
        rows = [held]
        for column in self.made[place]:
            if self.encoding.space.decisions[column].when == ((),):
                values: Iterable[int] = range(self.encoding.sizes[column])
                rows = [(*row, value) for row in rows for value in values]
            else:
                rows = [(*row, value) for row in rows for value in self._values(column, row, at)]
            if len(rows) > MOST_MOVES:
                raise TooWideError("too many decisions are read at once")
        return rows

    def _values(self, column: int, row: Scope, at: dict[int, int]) -> Iterator[int]:
        counts = any(
            all(
                part is None or part[1][tuple([row[at[other]] for other in part[0]])]
                for part in way
            )
            for way in self.conditions[column]
        )
        return iter(
            range(self.encoding.sizes[column]) if counts else [int(self.encoding.default[column])]
        )


class _Step:
    """A segment, with a cache of its results by input and choices."""

    def __init__(self, chain: Chain, table: SegmentTable) -> None:
        self.chain, self.table = chain, table
        column = chain.encoding.column
        conditions = table.segment.conditions
        self.conditions = {column[path] for part in conditions for path in part.paths}
        self.known: dict[Scope, tuple[tuple[int, ...], int] | None] = {}

    def columns(self) -> set[int]:
        """Return the decisions that the segment reads, as far as known."""
        self.known.clear()
        column = self.chain.encoding.column
        self.reads = sorted(self.conditions | {column[path] for path in self.table.reads})
        return {*self.reads}

    def passed(
        self, shape: int, row: Scope, at: dict[int, int]
    ) -> tuple[tuple[int, ...], int] | None:
        """Return the sums and the number of the leaving shape; None if it is no valid network."""
        key = (shape, *[row[at[column]] for column in self.reads])
        if key not in self.known:
            self.known[key] = self._passed(shape, row, at)
        return self.known[key]

    def _passed(
        self, shape: int, row: Scope, at: dict[int, int]
    ) -> tuple[tuple[int, ...], int] | None:
        chain, encoding = self.chain, self.chain.encoding
        choices = dict(encoding.space.defaults)
        for column, position in at.items():
            choices[encoding.space.decisions[column].path] = encoding.values[column][row[position]]
        if not self.table.present(choices):
            return (0,) * chain.whole.width, shape
        try:
            sums, leaving = self.table.look_up(choices, chain.passing[shape])
        except SpecError:
            return None
        return sums, chain.number(leaving)
