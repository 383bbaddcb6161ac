"""Which units to remove, so that a network keeps its budgets and hardly undercuts them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence

from msgspec import Struct

from archscope.compress.groups import ChannelGroups, Group
from archscope.compress.importance import Scores
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.metrics import METRICS
from archscope.space.budget import Budget
from archscope.space.costs import Costs, costs_of

CLOSE = 0.999
"""The share of a limit beyond which no more channels are tried to be given back."""


class Ranked(Struct, frozen=True):
    """The units of one group in the order in which they go, and how many may stay."""

    units: tuple[int, ...]  # the least important first
    keys: tuple[float, ...]  # their scores
    counts: tuple[int, ...]  # of units that may stay, ascending; the last is all

    def least(self, kept: int) -> int:
        """Return the place in `counts` of the least number that is at least `kept`."""
        return bisect_left(self.counts, max(kept, self.counts[0]))

    def removed(self, place: int) -> tuple[int, ...]:
        """Return the units that go where `counts[place]` of them stay."""
        return self.units[: len(self.units) - self.counts[place]]


class Selection(Struct, frozen=True):
    """The units that go, the network without them, and what it costs."""

    removed: frozenset[int]
    graph: Graph
    costs: Costs


class Selector:
    """Searches how many units of each group stay."""

    def __init__(
        self,
        groups: ChannelGroups,
        scores: Scores,
        limits: Sequence[Budget],
        lanes: int,
        min_width: int,
        dtype: str,
    ) -> None:
        self.groups, self.limits, self.dtype = groups, limits, dtype
        widths = {node.name: node.out[0] for node in groups.graph.nodes}
        self.ranked = [
            _ranked(group, counts, scores)
            for group in groups.groups
            if group.removable
            and all(unit.root in scores for unit in group.units)
            and len(counts := _counts(group, widths, lanes, min_width)) > 1
        ]
        if not self.ranked:
            raise OptionError(_nothing(groups, lanes, min_width))

    def select(self) -> Selection:
        """Return the units to remove. Raises OptionError if the budgets cannot be kept."""
        smallest = self._at([0] * len(self.ranked))
        self._check(smallest.costs)
        scores = sorted({key for ranked in self.ranked for key in ranked.keys})
        # The least threshold below which everything can go and the budgets are kept.
        low, high = 0, len(scores)
        while low < high:
            middle = (low + high) // 2
            if self._fits(self._at(self._below(scores[middle])).costs):
                high = middle
            else:
                low = middle + 1
        places = self._below(scores[low]) if low < len(scores) else [0] * len(self.ranked)
        return self._filled(places)

    def _filled(self, places: list[int]) -> Selection:
        """Give units back where the budgets allow, the most important of those that go first."""
        best = self._at(places)
        order = sorted(
            range(len(places)),
            key=lambda n: max(self._keys_of_removed(n, places[n]), default=0.0),
            reverse=True,
        )
        for number in order:
            low, high = places[number], len(self.ranked[number].counts) - 1
            while low < high and not self._is_close(best.costs):
                # Most often not even the next fits.
                middle = low + 1 if low == places[number] else (low + high + 1) // 2
                tried = self._at([*places[:number], middle, *places[number + 1 :]])
                if self._fits(tried.costs):
                    best, low = tried, middle
                else:
                    high = middle - 1
            places = [*places[:number], low, *places[number + 1 :]]
        return best

    def _keys_of_removed(self, number: int, place: int) -> tuple[float, ...]:
        ranked = self.ranked[number]
        return ranked.keys[: len(ranked.units) - ranked.counts[place]]

    def _below(self, threshold: float) -> list[int]:
        """Return the places in which units up to a score are gone, as far as counts allow."""
        return [ranked.least(sum(key > threshold for key in ranked.keys)) for ranked in self.ranked]

    def _at(self, places: Sequence[int]) -> Selection:
        removed = frozenset(
            root
            for ranked, place in zip(self.ranked, places, strict=True)
            for root in ranked.removed(place)
        )
        graph = self.groups.narrow(removed)
        return Selection(removed, graph, costs_of(graph, self.dtype))

    def _fits(self, costs: Costs) -> bool:
        return all(limit.most is None or costs[limit.metric] <= limit.most for limit in self.limits)

    def _is_close(self, costs: Costs) -> bool:
        """Return whether whatever is given back would be too much; of a peak it need not be."""
        return any(
            limit.most is not None
            and not METRICS[limit.metric].needs_graph
            and costs[limit.metric] >= CLOSE * limit.most
            for limit in self.limits
        )

    def _check(self, least: Costs) -> None:
        for limit in self.limits:
            if limit.most is not None and least[limit.metric] > limit.most:
                have = f"{limit.readable(least[limit.metric])} {limit.metric}"
                raise OptionError(
                    f"the budget '{limit.text}' cannot be kept: with every channel removed that"
                    f" may be, '{self.groups.graph.name}' has {have}"
                )


def _ranked(group: Group, counts: tuple[int, ...], scores: Scores) -> Ranked:
    units = sorted((unit.root for unit in group.units), key=lambda root: (scores[root], root))
    return Ranked(tuple(units), tuple(map(scores.__getitem__, units)), counts)


def _counts(group: Group, layers: dict[str, int], lanes: int, min_width: int) -> tuple[int, ...]:
    """Return how many units of a group may stay, so that widths are multiples of `lanes`.

    All may. Where a layer has channels of other groups as well, what goes must be a multiple, and
    the width of the layer must be one to begin with.
    """
    total = len(group.units)

    def may(kept: int) -> bool:
        for layer, each in zip(group.layers, group.widths, strict=True):
            gone = (total - kept) * each
            width = layers[layer] - gone
            own = layers[layer] == total * each
            if width % lanes or (not own and gone % lanes) or width < min_width:
                return False
        return True

    return (*filter(may, range(1, total)), total)


def _nothing(groups: ChannelGroups, lanes: int, min_width: int) -> str:
    return (
        f"'{groups.graph.name}' has nothing to prune to widths that are multiples of {lanes} and at"
        f" least {min_width}; see --lanes and --min-width"
    )
