"""Find the best networks of an additive model within budgets, and prove that none are better.

The networks of a `Chain` are extended place by place. A prefix is dropped if no completion can be
within the budgets, or better than the networks known so far: completions are bounded by Lagrangian
relaxation, in which the use of each budget has a price. The prices that minimise the bound of the
whole space are found by cutting planes (Kelley 1960), the bounds for each state by one pass from
the end. Lower ends of budgets are constraints, too.

Dynamic programming over prefixes with such bounds is the classic solution of the constrained
shortest path problem (Handler, Zang 1980; Dumitrescu, Boland 2003).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray
from scipy.optimize import linprog

from archscope.space.budget import Budget
from archscope.space.chain import Chain, Integers
from archscope.space.factor_model import FactorModel, Values
from archscope.space.rows import Encoding, Rows
from archscope.space.search_space import Space

WIDTHS = (2_000, 40_000, 400_000)
"""The numbers of prefixes to keep at each place; larger ones are tried if smaller prove nothing."""
CHUNK = 1_000_000  # prefixes to extend at once
CUTS, CLOSE = 60, 1e-4
"""The most cutting planes, and their tolerance as a share of the model's range."""
PRICES = (0.0, 0.5, 0.8, 0.9, 1.1, 1.25, 2.0)
"""Factors of the best prices that give better bounds for some prefixes."""
TOLERANCE = 1e-9
"""The tolerance of proofs, as a share of the model's range; sums of floats are not more exact."""
UNLIMITED = 2**62


class Optimum(Struct, frozen=True):
    """The best networks within budgets according to an additive model.

    `bound` is proved: no network within the budgets other than `rows` has a larger value. If
    `proved`, it is at most the last of the values (up to `TOLERANCE`), so `rows` are the best, or
    all networks inside; otherwise there were too many prefixes to follow, and there may be better
    networks, up to `bound`. `relaxed` are budgets that are not sums over segments (peak memory,
    measured latency): rows may exceed them, but `bound` still holds.
    """

    rows: Rows  # (networks, decisions), masked, the best first
    values: Values  # (networks,)
    bound: float
    proved: bool
    relaxed: tuple[Budget, ...] = ()


def optimum(
    space: Space,
    model: FactorModel,
    budgets: Sequence[Budget] = (),
    *,
    keep: int = 1,
    dtype: str = "float32",
    chain: Chain | None = None,
) -> Optimum:
    """Return the `keep` best networks of a space within budgets, according to an additive model.

    Ties are broken arbitrarily. There are no rows if nothing fits; then `bound` is minus infinity
    if that is `proved`. Pass `chain` to reuse it for models with factors of the same columns:
    `Chain(Encoding(space), [factor.columns for factor in model.factors])`, with the `extras` of the
    budgets.

    Raises NotAChainError if the networks are not chains of segments, TooWideError if the factors
    or segments read too much at once, and ValueError for a space with continuous decisions.
    """
    scopes = [factor.columns for factor in model.factors]
    sums = [limit for limit in budgets if limit.is_sum]
    if chain is None:
        extras = [extra for limit in sums if (extra := limit.extra) is not None]
        chain = Chain(Encoding(space), scopes, extras)
    if list(chain.scopes) != [tuple(scope) for scope in scopes]:
        raise ValueError("the chain was made for factors of other decisions")
    search = _Search(chain, model, sums, keep, dtype)
    proved = search.run()
    relaxed = tuple(limit for limit in budgets if not limit.is_sum)
    return Optimum(search.rows, search.values + model.constant, search.bound + model.constant,
                   proved, relaxed)  # fmt: skip


class _Prefixes(Struct, frozen=True):
    """Beginnings of networks, up to one place."""

    states: Integers
    costs: Integers  # (prefixes, metrics)
    values: Values
    bounds: Values  # no completion is worth more
    parents: Integers  # indices of the prefixes one place earlier
    moves: Integers

    def part(self, chosen: Integers | NDArray[np.bool_]) -> _Prefixes:
        return _Prefixes(self.states[chosen], self.costs[chosen], self.values[chosen],
                         self.bounds[chosen], self.parents[chosen], self.moves[chosen])  # fmt: skip


def _joined(parts: Sequence[_Prefixes]) -> _Prefixes:
    return _Prefixes(*[
        np.concatenate([getattr(part, name) for part in parts])
        for name in _Prefixes.__struct_fields__
    ])  # fmt: skip


class _Search:
    """The search for the best networks on a chain; `rows` are the best so far."""

    def __init__(
        self, chain: Chain, model: FactorModel, limits: Sequence[Budget], keep: int, dtype: str
    ) -> None:
        self.chain, self.keep = chain, keep
        metrics = [limit.cost for limit in limits]
        ends = [chain.ends(limit) for limit in limits]
        self.least = np.array([least for least, _ in ends], np.int64)
        self.most = np.array([UNLIMITED if most is None else most for _, most in ends], np.int64)
        self.costs = [chain.costs(place, metrics, dtype) for place in range(len(chain.moves))]
        self.worth = [
            sum(
                (
                    model.factors[number].values.ravel()[flat]
                    for number, flat in moves.scoped.items()
                ),
                np.zeros(len(moves.source)),
            )
            for moves in chain.moves
        ]
        self.range = sum(float(np.ptp(worth)) for worth in self.worth if len(worth))
        self.fewest = chain.to_go(np.minimum, self.costs, UNLIMITED)
        self.most_to_go = chain.to_go(np.maximum, self.costs, -UNLIMITED)
        self.rows = np.empty((0, len(chain.encoding.sizes)), np.int64)
        self.values: Values = np.empty(0)
        self.bound = -np.inf
        # One-sided constraints: `use` of at most `room` each, as shares of the limits.
        sides = [
            (column, sign, limit)
            for column, (least, most) in enumerate(ends)
            for sign, limit in ((1, most), (-1, least))
            if limit
        ]
        self.signs = np.zeros((len(metrics), len(sides)))
        for number, (column, sign, limit) in enumerate(sides):
            self.signs[column, number] = sign / limit
        self.room = np.array([float(sign) for _, sign, _ in sides])

    def run(self) -> bool:
        """Find the best networks, and return whether that is proved."""
        self.to_go: list[list[Values]] = []  # for each of several prices, at each place
        self.prices: list[Values] = []
        if not np.isfinite(self._priced(np.zeros(len(self.room)))):
            return True
        best = self._best_prices()
        for factor in PRICES:
            self._priced(factor * best)
        for width in WIDTHS:
            self.bound = self._extended(width)
            if self.bound == -np.inf:
                break
        proved = self.bound == -np.inf
        self.bound = max(self.bound, self._known())
        return proved

    def _known(self) -> float:
        """Return the value that a network must exceed to be of interest."""
        if len(self.values) < self.keep:
            return -np.inf
        return float(self.values[-1]) + TOLERANCE * self.range

    def _priced(self, prices: Values) -> float:
        """Add a bound of completions for prices of the constraints; return that of all networks."""
        worth = [
            worth - cost @ (self.signs @ prices)
            for worth, cost in zip(self.worth, self.costs, strict=True)
        ]
        self.prices.append(prices)
        self.to_go.append(self.chain.to_go(np.maximum, worth, -np.inf))
        return float(self.to_go[-1][0][0] + prices @ self.room)

    def _best_prices(self) -> Values:
        """Return the prices of the constraints that minimise the bound of all networks."""
        sides = len(self.room)
        most = 100 * self.range + 1
        cuts: list[list[float]] = []
        worths: list[float] = []
        best: Values = np.zeros(sides)
        least = np.inf
        while sides and len(cuts) < CUTS:
            prices = self.prices[-1]
            value, spare = self._best_at(prices)
            bound = value + float(prices @ spare)
            if bound < least:
                best, least = prices, bound
            cuts.append([*spare, -1.0])  # value + prices @ spare <= bound
            worths.append(-value)
            found = linprog([0.0] * sides + [1.0], A_ub=cuts, b_ub=worths,
                            bounds=[(0, most)] * sides + [(None, None)])  # fmt: skip
            if found.x is None or least - found.fun <= CLOSE * self.range:
                break
            del self.prices[1:], self.to_go[1:]
            self._priced(found.x[:-1])
        del self.prices[1:], self.to_go[1:]
        return best

    def _best_at(self, prices: Values) -> tuple[float, Values]:
        """Return the value of the best network at the last prices, and its slack in `room`."""
        state, value = 0, 0.0
        cost = np.zeros(len(self.least))
        for place, moves in enumerate(self.chain.moves):
            leaving = slice(moves.first[state], moves.first[state + 1])
            worth = self.worth[place][leaving] - self.costs[place][leaving] @ (self.signs @ prices)
            move = leaving.start + int(
                np.argmax(worth + self.to_go[-1][place + 1][moves.target[leaving]])
            )
            state = int(moves.target[move])
            value += self.worth[place][move]
            cost += self.costs[place][move]
        return value, self.room - cost @ self.signs

    def _extended(self, width: int) -> float:
        """Extend prefixes to networks, keeping the `width` most promising at each place.

        Returns the bound of all prefixes that were dropped because of the width.
        """
        zero = np.zeros(1, np.int64)
        prefixes = _Prefixes(zero, np.zeros((1, len(self.least)), np.int64), np.zeros(1),
                             np.full(1, np.inf), zero, zero)  # fmt: skip
        history = []
        dropped = -np.inf
        for place, moves in enumerate(self.chain.moves):
            parts: list[_Prefixes] = []
            numbers = np.cumsum(np.diff(moves.first)[prefixes.states])
            starts = np.searchsorted(numbers, np.arange(0, numbers[-1:].sum(), CHUNK), "right")
            for begin, end in pairwise([*np.unique(starts), len(numbers)]):
                parts.append(self._moved(place, prefixes, np.arange(begin, end)))
                if sum(len(part.values) for part in parts) > 2 * width:
                    joined, bound = self._widest(_joined(parts), width)
                    parts, dropped = [joined], max(dropped, bound)
            if not parts:
                return dropped
            prefixes, bound = self._widest(_joined(parts), width)
            dropped = max(dropped, bound)
            history.append((prefixes.parents, prefixes.moves))
        self._learn(prefixes, history)
        return dropped

    def _moved(self, place: int, prefixes: _Prefixes, chosen: Integers) -> _Prefixes:
        """Return the extensions of some prefixes that may lead to the best networks."""
        moves = self.chain.moves[place]
        parents, taken = moves.leaving(prefixes.states[chosen])
        parents = chosen[parents]
        states = moves.target[taken]
        costs = prefixes.costs[parents] + self.costs[place][taken]
        inside = (costs + self.fewest[place + 1][states] <= self.most).all(1)
        inside &= (costs + self.most_to_go[place + 1][states] >= self.least).all(1)
        values = prefixes.values[parents] + self.worth[place][taken]
        found = _Prefixes(states, costs, values, np.full(len(states), np.inf), parents, taken)
        found = found.part(inside)
        known = self._known()
        for prices, to_go in zip(self.prices, self.to_go, strict=True):
            spare = self.room - found.costs @ self.signs
            bounds = found.values + to_go[place + 1][found.states] + spare @ prices
            np.minimum(found.bounds, bounds, out=found.bounds)
            found = found.part(found.bounds > known)
        return found

    def _widest(self, prefixes: _Prefixes, width: int) -> tuple[_Prefixes, float]:
        """Return the most promising prefixes, and the bound of the dropped ones.

        Of prefixes with equal completions, only the best are needed.
        """
        order = np.lexsort((-prefixes.values, *prefixes.costs.T, prefixes.states))
        keys = np.column_stack([prefixes.states, prefixes.costs])[order]
        new = np.ones(len(keys), bool)
        new[1:] = (keys[1:] != keys[:-1]).any(1)
        begin = np.maximum.accumulate(np.where(new, np.arange(len(keys)), 0))
        prefixes = prefixes.part(order[np.arange(len(keys)) - begin < self.keep])
        if len(prefixes.values) <= width:
            return prefixes, -np.inf
        order = np.argpartition(-prefixes.bounds, width)
        return prefixes.part(order[:width]), float(prefixes.bounds[order[width:]].max())

    def _learn(self, networks: _Prefixes, history: Sequence[tuple[Integers, Integers]]) -> None:
        """Merge new networks into the best so far."""
        chosen = np.argsort(-networks.values, kind="stable")[: self.keep]
        values, place = networks.values[chosen], chosen
        ways = []
        for parents, moves in reversed(history):
            ways.append(moves[place])
            place = parents[place]
        rows = np.concatenate([self.rows, self.chain.rows(ways[::-1])])
        rows, first = np.unique(rows, axis=0, return_index=True)
        values = np.concatenate([self.values, values])[first]
        order = np.argsort(-values, kind="stable")[: self.keep]
        self.rows, self.values = rows[order], values[order]
