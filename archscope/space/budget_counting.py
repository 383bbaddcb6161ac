"""Count the networks of a space within a budget exactly, and draw them uniformly without rejection.

From the start of the chain, prefixes of networks are grouped by state and cost, and from its end
suffixes in the same way, until both meet. The number of suffixes that bring a prefix inside the
budget is then looked up in their sorted costs and summed towards the start. A draw walks along the
chain and takes each move with a probability proportional to the number of networks it leads to.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from math import gcd

import numpy as np
from msgspec import Struct

from archscope.space.budget import Budget
from archscope.space.chain import Chain, Integers, TooWideError
from archscope.space.rows import Rows

MOST_COSTS = 2_000_000  # distinct costs at once
EXACT = 2**62  # spaces of more networks are not counted exactly
MOST_LEVELS = 1 << 14
"""The number of distinct costs after rounding down, if there are too many."""
LIMB_BITS = 40
"""Counts of networks are rows of integers below 2**40, lowest first, so that sums do not
overflow."""
LARGEST_KEY = 2**62


class Count(Struct, frozen=True):
    """Proved bounds on the number of networks within a budget; equal if the number is exact."""

    budget: Budget
    least: int
    most: int


def counted(
    chain: Chain, budget: Budget, networks: int, dtype: str = "float32"
) -> tuple[Count, InsideBudget]:
    """Count the networks of a chain that lie within a budget whose metric is a sum.

    Also returns these networks, or if the count is not exact, a superset of `Count.most` networks.
    `networks` is an upper bound of the number of all networks. Raises TooWideError.
    """
    if networks < EXACT:
        with suppress(TooWideError):
            inside = InsideBudget.exact(chain, budget, networks, dtype)
            return Count(budget, inside.count, inside.count), inside
    surely = InsideBudget.rounded(chain, budget, networks, dtype, surely=True)
    possibly = InsideBudget.rounded(chain, budget, networks, dtype, surely=False)
    return Count(budget, surely.count, possibly.count), possibly


class InsideBudget:
    """The networks of a chain whose costs lie between two numbers; `count` is their number.

    `exact` makes the set of networks within a budget, `rounded` that of surely or possibly inside.
    """

    @classmethod
    def exact(cls, chain: Chain, budget: Budget, networks: int, dtype: str) -> InsideBudget:
        """Return the networks within a budget of a metric that is a sum over segments.

        `networks` is an upper bound of the number of all networks. Raises TooWideError.
        """
        costs, least, most = _limited(chain, budget, dtype)
        return cls(chain, costs, least, most, networks)

    @classmethod
    def rounded(
        cls, chain: Chain, budget: Budget, networks: int, dtype: str, *, surely: bool
    ) -> InsideBudget:
        """Return the networks possibly within a budget, or with `surely` those certainly inside.

        They differ near the ends of the budget, as costs are rounded down to at most `MOST_LEVELS`
        multiples of a number. Raises TooWideError.
        """
        costs, least, most = _limited(chain, budget, dtype)
        levels = min(MOST_LEVELS, MOST_COSTS // max(len(moves.source) for moves in chain.moves))
        if not levels:
            raise TooWideError("there are too many states to distinguish")
        unit = gcd(*(int(np.gcd.reduce(cost)) for cost in costs if len(cost))) or 1
        step = unit * max(1, -(-most // (unit * levels)))
        lost = sum(int((cost % step).max(initial=0)) for cost in costs)  # at most, by rounding
        costs = [cost // step for cost in costs]
        if surely:
            return cls(chain, costs, -(-least // step), (most - lost) // step, networks)
        return cls(chain, costs, -(-(least - lost) // step), most // step, networks)

    def __init__(
        self, chain: Chain, costs: Sequence[Integers], least: int, most: int, networks: int
    ) -> None:
        """Take the costs of the moves at each place, and the least and most of an inside sum."""
        self.chain, self.places, self.costs = chain, len(chain.moves), costs
        self.limbs = networks.bit_length() // LIMB_BITS + 1
        self.fewest = chain.to_go(np.minimum, costs, LARGEST_KEY)
        self.largest = chain.to_go(np.maximum, costs, -LARGEST_KEY)
        self.least, self.most = max(0, least), max(-1, most)
        self.span = self.most + 2  # costs from 0 to `most` are distinguished
        if max(len(moves.first) for moves in chain.moves) * self.span > LARGEST_KEY:
            raise TooWideError("the costs are too large to distinguish")
        self._meet()
        for place in reversed(range(len(self.prefixes))):
            self._count(place)
        self.count = sum(
            int(limb) << LIMB_BITS * i for i, limb in enumerate(self.prefixes[0].counts.sum(0))
        )

    def draw(self, number: int, random: np.random.Generator) -> Rows:
        """Return rows of networks within the budget, drawn uniformly up to 53 bits."""
        states = np.zeros(number if self.count else 0, np.int64)
        costs = np.zeros_like(states)
        sizes = 2.0 ** (LIMB_BITS * np.arange(self.limbs))
        ways = []
        for place, moves in enumerate(self.chain.moves):
            draws, taken = moves.leaving(states)
            targets, reached = moves.target[taken], costs[draws] + self.costs[place][taken]
            weights = self._completions(place + 1, targets, reached) @ sizes
            with np.errstate(divide="ignore"):
                race = random.exponential(size=len(taken)) / weights
            # The first to arrive wins with a probability proportional to its weight.
            order = np.lexsort((race, draws))
            won = order[np.searchsorted(draws[order], np.arange(len(states)))]
            states, costs = targets[won], reached[won]
            ways.append(taken[won])
        return self.chain.rows(ways)

    def _meet(self) -> None:
        """Extend prefixes or suffixes, whichever are fewer, until they meet."""
        start = np.zeros(1, np.int64)
        self.prefixes = [_Prefixes(self._kept(0, start, start))]
        ends = np.arange(len(self.fewest[-1]))
        ones = np.tile(np.eye(1, self.limbs, dtype=np.int64), (len(ends), 1))
        suffixes = [_Suffixes(ends * self.span, ones)]
        while len(self.prefixes) + len(suffixes) <= self.places:
            if len(self.prefixes[-1].keys) <= len(suffixes[-1].keys):
                self.prefixes.append(self._extended(len(self.prefixes) - 1))
            else:
                suffixes.append(self._prepended(self.places - len(suffixes), suffixes[-1]))
        self.suffixes = dict(zip(range(self.places, -1, -1), suffixes, strict=False))

    def _extended(self, place: int) -> _Prefixes:
        """Return the prefixes that are one place longer."""
        states, costs = np.divmod(self.prefixes[place].keys, self.span)
        moves = self.chain.moves[place]
        _narrow(np.diff(moves.first)[states])
        parents, taken = moves.leaving(states)
        reached = costs[parents] + self.costs[place][taken]
        return _Prefixes(self._kept(place + 1, moves.target[taken], reached))

    def _kept(self, place: int, states: Integers, costs: Integers) -> Integers:
        """Return the keys of prefixes that may end within the budget."""
        possible = costs + self.fewest[place][states] <= self.most
        possible &= costs + self.largest[place][states] >= self.least
        return np.unique(self._keys(place, states[possible], costs[possible]))

    def _keys(self, place: int, states: Integers, costs: Integers) -> Integers:
        """Return the keys of prefixes.

        Prefixes that end within the budget whatever follows share the key of the cheapest.
        """
        lowest = np.maximum(self.least - self.fewest[place][states], 0)
        settled = (costs >= lowest) & (costs + self.largest[place][states] <= self.most)
        return states * self.span + np.where(settled, lowest, costs)

    def _prepended(self, place: int, after: _Suffixes) -> _Suffixes:
        """Return the suffixes from one place earlier on."""
        moves = self.chain.moves[place]
        first = np.searchsorted(after.keys, np.arange(len(self.fewest[place + 1]) + 1) * self.span)
        numbers = np.diff(first)[moves.target]
        _narrow(numbers)
        move = np.repeat(np.arange(len(numbers)), numbers)
        entry = np.arange(len(move)) - (np.cumsum(numbers) - numbers - first[moves.target])[move]
        costs = after.keys[entry] % self.span + self.costs[place][move]
        possible = np.flatnonzero(costs <= self.most)
        keys = moves.source[move[possible]] * self.span + costs[possible]
        keys, place_of = np.unique(keys, return_inverse=True)
        counts = np.zeros((len(keys), self.limbs), np.int64)
        np.add.at(counts, place_of.ravel(), after.counts[entry[possible]])
        return _Suffixes(keys, _carried(counts))

    def _count(self, place: int) -> None:
        """Compute in how many ways the prefixes up to a place end within the budget."""
        prefixes = self.prefixes[place]
        states, costs = np.divmod(prefixes.keys, self.span)
        moves = self.chain.moves[place]
        _narrow(np.diff(moves.first)[states])
        parents, taken = moves.leaving(states)
        reached = costs[parents] + self.costs[place][taken]
        ways = self._completions(place + 1, moves.target[taken], reached)
        counts = np.zeros((len(states), self.limbs), np.int64)
        np.add.at(counts, parents, ways)
        prefixes.counts = _carried(counts)

    def _completions(self, place: int, states: Integers, costs: Integers) -> Integers:
        """Return in how many ways prefixes end within the budget, (prefixes, limbs)."""
        if place in self.suffixes:
            least, most = self.least - costs, self.most - costs
            return self.suffixes[place].between(states, least, most, self.span)
        known = self.prefixes[place]
        keys = self._keys(place, states, costs)
        found = np.isin(keys, known.keys) & (costs <= self.most)
        counts = np.zeros((len(keys), self.limbs), np.int64)
        counts[found] = known.counts[np.searchsorted(known.keys, keys[found])]
        return counts


class _Prefixes(Struct):
    """States and costs of the prefixes up to a place, with their numbers of completions."""

    keys: Integers  # ascending: the number of the state times `span`, plus the cost
    counts: Integers = np.empty((0, 0), np.int64)  # (keys, limbs)


class _Suffixes:
    """States and costs of the suffixes from a place on, with their numbers."""

    def __init__(self, keys: Integers, counts: Integers) -> None:
        self.keys, self.counts = keys, counts  # (keys,) as those of prefixes, (keys, limbs)
        self.before = np.zeros((len(keys) + 1, counts.shape[1]), np.int64)
        np.cumsum(counts, 0, out=self.before[1:])

    def between(self, states: Integers, least: Integers, most: Integers, span: int) -> Integers:
        """Return how many suffixes of states cost between two numbers, (states, limbs)."""
        base = states * span
        low = np.searchsorted(self.keys, base + np.clip(least, 0, span), side="left")
        high = np.searchsorted(self.keys, base + np.clip(most, -1, span - 1), side="right")
        return _carried(self.before[np.maximum(high, low)] - self.before[low])


def _carried(counts: Integers) -> Integers:
    """Return counts with all limbs below 2**LIMB_BITS, except for the highest."""
    for limb in range(counts.shape[1] - 1):
        counts[:, limb + 1] += counts[:, limb] >> LIMB_BITS
        counts[:, limb] &= (1 << LIMB_BITS) - 1
    return counts


def _narrow(numbers: Integers) -> None:
    if numbers.sum() > MOST_COSTS:
        raise TooWideError("there are too many costs to distinguish")


def _limited(chain: Chain, budget: Budget, dtype: str) -> tuple[list[Integers], int, int]:
    """Return the costs of the moves at each place, and the least and most of an inside network."""
    costs = [chain.costs(place, [budget.cost], dtype)[:, 0] for place in range(len(chain.moves))]
    dearest = int(chain.to_go(np.maximum, costs, -LARGEST_KEY)[0][0])
    least, most = chain.ends(budget)
    return costs, least, dearest if most is None else min(most, dearest)
