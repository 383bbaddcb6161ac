"""How many networks of a space lie inside a budget, exactly.

One pass over the chain of segments keeps, for each shape that may leave a segment and each
combination of choices that later segments still read, how many ways there are to reach every cost.
Where too many costs would have to be told apart, the chain is cut once, and the ways before and
after the cut are brought together.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from archscope.errors import SpecError
from archscope.space.budget import Budget
from archscope.space.cost_tables import CostTables, SegmentTable
from archscope.space.costs import array_costs
from archscope.space.counting import Plan
from archscope.space.rows import Encoding
from archscope.space.search_space import Space
from archscope.space.segments import NotAChainError

Integers = NDArray[np.int64]
State = tuple[int, tuple[int, ...]]
"""The number of a shape, and the places of the choices that are still to be read."""

MOST_COSTS = 2_000_000  # that are told apart at once
MOST_STATES = 200_000


class TooWideError(Exception):
    """Too many states or costs would have to be told apart."""


class Ways(Struct):
    """In how many ways each cost is reached, costs ascending."""

    costs: Integers
    counts: Integers


_ONE = Ways(np.zeros(1, np.int64), np.ones(1, np.int64))


def count_inside(plan: Plan, space: Space, budget: Budget, dtype: str = "float32") -> int | None:
    """Return how many networks of a space lie inside a budget whose metric is a sum over segments.

    `plan` counts fewer than 2**62 networks, none of them endless. None if too many costs would have
    to be told apart, or if the networks are no chains of segments.
    """
    most = np.inf if budget.most is None else budget.most
    if space.cost_tables is None or plan.endless:
        return None
    try:
        counter = _Counter(Encoding(space), space.cost_tables, budget.metric, dtype)
        return counter.count(budget.least or 0, most)
    except (TooWideError, NotAChainError):
        return None


class _Counter:
    """Walks the chain of segments of one space."""

    def __init__(self, encoding: Encoding, tables: CostTables, metric: str, dtype: str) -> None:
        self.encoding, self.tables = encoding, tables.tables
        self.metric, self.dtype = metric, dtype
        self.shapes: list[Any] = []
        self.numbers: dict[Any, int] = {}
        self.parents = [
            {encoding.column[path] for way in decision.when for part in way for path in part.paths}
            for decision in encoding.space.decisions
        ]
        self.steps = [_Step(self, table) for table in self.tables]
        self.input_columns = [encoding.column[path] for path in tables.input_reads]
        self.entering = tables.entering
        self._learn()

    def _learn(self) -> None:
        """Walk all states once, so that it is known what every segment reads."""
        while True:
            self._schedule()
            before = [table.reads for table in self.tables]
            states = self._start()
            for place in range(len(self.steps)):
                states = {state for old in states for state, _ in self.moves(place, old)}
                if len(states) > MOST_STATES:
                    raise TooWideError
            if before == [table.reads for table in self.tables]:
                return

    def _schedule(self) -> None:
        """Decide for each segment which decisions are made before it, and which are done after."""
        needs = [self._with_parents(step.columns()) for step in self.steps]
        rest = set(range(len(self.encoding.sizes))).difference(*needs)
        needs.append(self._with_parents(rest))
        last = {column: place for place, need in enumerate(needs) for column in need}
        live: list[int] = []
        self.live = []  # columns of states before each segment
        self.made = []  # columns of the decisions made at each segment, parents first
        for place, need in enumerate(needs):
            self.live.append(tuple(live))
            new = self._parents_first(need - set(live))
            self.made.append(new)
            live = [column for column in [*live, *new] if last[column] > place]
        self.live.append(tuple(live))

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

    def _start(self) -> set[State]:
        if self.input_columns:
            raise TooWideError  # the input itself is open
        shape = self.entering(self.encoding.space.defaults)
        return {(self.number(shape), ())}

    def number(self, shape: Any) -> int:
        if shape not in self.numbers:
            self.numbers[shape] = len(self.shapes)
            self.shapes.append(shape)
        return self.numbers[shape]

    def moves(self, place: int, state: State) -> list[tuple[State, int]]:
        """Return what a state becomes after a segment, once for each way, with the cost."""
        shape, held = state
        rows = [dict(zip(self.live[place], held, strict=True))]
        for column in self.made[place]:
            rows = [{**row, column: value} for row in rows for value in self._values(column, row)]
        keep = self.live[place + 1]
        if place == len(self.steps):
            return [((shape, tuple([row[column] for column in keep])), 0) for row in rows]
        step = self.steps[place]
        moves = []
        for row in rows:
            found = step.cost(shape, row)
            if found is not None:
                cost, leaving = found
                moves.append(((leaving, tuple([row[column] for column in keep])), cost))
        return moves

    def _values(self, column: int, row: dict[int, int]) -> Iterable[int]:
        decision = self.encoding.space.decisions[column]
        counts = any(all(self._holds(part, row) for part in way) for way in decision.when)
        size, default = self.encoding.sizes[column], int(self.encoding.default[column])
        return range(size) if counts else (default,)

    def _holds(self, condition: Any, row: dict[int, int]) -> bool:
        values = [
            self.encoding.values[self.encoding.column[path]][row[self.encoding.column[path]]]
            for path in condition.paths
        ]
        return condition.allowed is None or tuple(values) in condition.allowed

    def count(self, least: float, most: float) -> int:
        """Return how many networks cost between two numbers. Raises TooWideError."""
        end = len(self.steps) + 1
        cut, states = self._forward(dict.fromkeys(self._start(), _ONE), 0, most)
        total = 0
        for state, before in states.items():
            after = {state: _ONE}
            if cut < end:
                reached, after = self._forward(after, cut, most)
                if reached < end:
                    raise TooWideError
            total += sum(_pairs(before, ways, least, most) for ways in after.values())
        return total

    def _forward(
        self, states: dict[State, Ways], place: int, most: float
    ) -> tuple[int, dict[State, Ways]]:
        """Return the ways after the segments from a place on, and how far they got.

        They stop before the segment at which more than `MOST_COSTS` would have to be told apart.
        """
        for here in range(place, len(self.steps) + 1):
            parts: dict[State, list[tuple[Ways, int]]] = {}
            for state, ways in states.items():
                for new, cost in self.moves(here, state):
                    parts.setdefault(new, []).append((ways, cost))
            if sum(len(ways.costs) for group in parts.values() for ways, _ in group) > MOST_COSTS:
                return here, states
            states = {state: _merged(group, most) for state, group in parts.items()}
        return len(self.steps) + 1, states


class _Step:
    """A segment as the counter takes it."""

    def __init__(self, counter: _Counter, table: SegmentTable) -> None:
        self.counter, self.table = counter, table
        encoding = counter.encoding
        conditions = table.segment.conditions
        self.condition_columns = {
            encoding.column[path] for condition in conditions for path in condition.paths
        }
        self.known: dict[tuple[int, ...], tuple[int, int] | None] = {}

    def columns(self) -> set[int]:
        """Return the decisions that the segment reads, as far as that is known."""
        self.known.clear()
        column = self.counter.encoding.column
        self.reads = sorted(self.condition_columns | {column[path] for path in self.table.reads})
        return {*self.reads}

    def cost(self, shape: int, row: dict[int, int]) -> tuple[int, int] | None:
        """Return the cost and the number of the shape that leaves; None if it is no network."""
        key = (shape, *[row[column] for column in self.reads])
        if key not in self.known:
            self.known[key] = self._cost(shape, row)
        return self.known[key]

    def _cost(self, shape: int, row: dict[int, int]) -> tuple[int, int] | None:
        counter, encoding = self.counter, self.counter.encoding
        choices = dict(encoding.space.defaults)
        for column, value in row.items():
            choices[encoding.space.decisions[column].path] = encoding.values[column][value]
        if not self.table.present(choices):
            return 0, shape
        try:
            sums, leaving = self.table.look_up(choices, counter.shapes[shape])
        except SpecError:
            return None
        costs = array_costs(np.array([sums], np.int64), counter.dtype)
        return int(costs[counter.metric][0]), counter.number(leaving)


def _merged(group: Sequence[tuple[Ways, int]], most: float) -> Ways:
    """Return all ways with their costs added, without those that are beyond `most`."""
    costs = np.concatenate([ways.costs + cost for ways, cost in group])
    counts = np.concatenate([ways.counts for ways, _ in group])
    inside = costs <= most
    costs, place = np.unique(costs[inside], return_inverse=True)
    sums = np.zeros(len(costs), np.int64)
    np.add.at(sums, place, counts[inside])
    return Ways(costs, sums)


def _pairs(before: Ways, after: Ways, least: float, most: float) -> int:
    """Return how many pairs of ways cost between two numbers together."""
    reached = np.concatenate([[0], np.cumsum(after.counts)])
    high = np.searchsorted(after.costs, np.floor(most) - before.costs, side="right")
    low = np.searchsorted(after.costs, np.ceil(least) - before.costs, side="left")
    return int((before.counts * (reached[high] - reached[low])).sum())
