"""Select the units to remove, so that a network just keeps its budgets."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence

from msgspec import Struct

from archscope.compress.groups import ChannelGroups
from archscope.compress.importance import Scores
from archscope.compress.targets import limited_costs, predictions
from archscope.compress.widths import Kept, Rules, Widths, clusters, configurations
from archscope.errors import OptionError
from archscope.folding.fold import in_spec_order
from archscope.ir import Graph
from archscope.metrics import METRICS
from archscope.space.budget import Budget
from archscope.space.costs import Costs

CLOSE = 0.999
"""The fraction of a limit above which restoring channels is not tried any more."""


class Ranked(Struct, frozen=True):
    """The units of a cluster in the order of removal, and how many may stay."""

    units: tuple[tuple[int, ...], ...]  # of each group, the least important first
    keys: tuple[tuple[float, ...], ...]  # their scores
    configurations: tuple[Kept, ...]  # from little to all
    sizes: tuple[int, ...]  # the units of each configuration

    def least(self, kept: int) -> int:
        """Return the index of the first configuration with at least that many units."""
        return min(bisect_left(self.sizes, kept), len(self.sizes) - 1)

    def removed(self, place: int) -> Iterator[tuple[int, float]]:
        """Yield the removed units of a configuration, with their scores."""
        for units, keys, kept in zip(
            self.units, self.keys, self.configurations[place], strict=True
        ):
            gone = len(units) - kept
            yield from zip(units[:gone], keys[:gone], strict=True)


class Selection(Struct, frozen=True):
    """The removed units, the network without them, and its costs."""

    removed: frozenset[int]
    graph: Graph
    costs: Costs


class Selector:
    """Searches for the number of units of each group that stay."""

    def __init__(
        self,
        groups: ChannelGroups,
        scores: Scores,
        limits: Sequence[Budget],
        lanes: int,
        min_width: int,
        dtype: str,
    ) -> None:
        self.groups, self.limits, self.dtype, self.lanes = groups, limits, dtype, lanes
        self.predicted = predictions(limits)
        rules = Rules(lanes, min_width)
        widths = Widths(groups.groups, groups.terms, rules)
        able = [
            place
            for place, group in enumerate(groups.groups)
            if group.removable and all(unit.root in scores for unit in group.units)
        ]
        self.ranked = [
            ranked
            for cluster in clusters(able, widths)
            if len((ranked := _ranked(cluster, widths, scores)).sizes) > 1
        ]
        if not self.ranked:
            raise OptionError(_nothing(groups, rules))

    def select(self) -> Selection:
        """Return the units to remove. Raises OptionError if the budgets cannot be kept."""
        smallest = self._at([0] * len(self.ranked))
        self._check(smallest.costs)
        scores = sorted({key for ranked in self.ranked for keys in ranked.keys for key in keys})
        # The lowest threshold at which removing everything below keeps the budgets.
        low, high = 0, len(scores)
        while low < high:
            middle = (low + high) // 2
            if self._fits(self._at(self._below(scores[middle])).costs):
                high = middle
            else:
                low = middle + 1
        places = self._below(scores[low]) if low < len(scores) else [0] * len(self.ranked)
        found = self._filled(places)
        self._check_least(found.costs)
        # In the order of a short spec another peak is possible, which may still be allowed.
        ordered = self._of(found.removed, in_spec_order(found.graph))
        return ordered if self._fits(ordered.costs) else found

    def _filled(self, places: list[int]) -> Selection:
        """Restore removed units where the budgets allow it, the most important first."""
        best = self._at(places)
        order = sorted(
            range(len(places)),
            key=lambda n: max((key for _, key in self.ranked[n].removed(places[n])), default=0.0),
            reverse=True,
        )
        for number in order:
            low, high = places[number], len(self.ranked[number].sizes) - 1
            while low < high and not self._is_close(best.costs):
                # Usually not even the next one fits.
                middle = low + 1 if low == places[number] else (low + high + 1) // 2
                tried = self._at([*places[:number], middle, *places[number + 1 :]])
                if self._fits(tried.costs):
                    best, low = tried, middle
                else:
                    high = middle - 1
            places = [*places[:number], low, *places[number + 1 :]]
        return best

    def _below(self, threshold: float) -> list[int]:
        """Return the configurations without units up to a score, as far as rules allow."""
        return [
            ranked.least(sum(key > threshold for keys in ranked.keys for key in keys))
            for ranked in self.ranked
        ]

    def _at(self, places: Sequence[int]) -> Selection:
        removed = frozenset(
            root
            for ranked, place in zip(self.ranked, places, strict=True)
            for root, _ in ranked.removed(place)
        )
        return self._of(removed, self.groups.narrow(removed))

    def _of(self, removed: frozenset[int], graph: Graph) -> Selection:
        return Selection(removed, graph, limited_costs(graph, self.dtype, self.predicted))

    def _fits(self, costs: Costs) -> bool:
        return all(limit.most is None or costs[limit.cost] <= limit.most for limit in self.limits)

    def _is_close(self, costs: Costs) -> bool:
        """Return whether restoring any unit would exceed a limit; peaks may not grow."""
        return any(
            limit.most is not None
            and not METRICS[limit.metric].needs_graph
            and costs[limit.cost] >= CLOSE * limit.most
            for limit in self.limits
        )

    def _check(self, least: Costs) -> None:
        for limit in self.limits:
            if limit.most is not None and least[limit.cost] > limit.most:
                have = f"{limit.readable(least[limit.cost])} {limit.metric}"
                hint = "; --lanes 1 allows removing more" if self.lanes > 1 else ""
                raise OptionError(
                    f"the budget '{limit.text}' cannot be kept: with every channel removed that"
                    f" may be, '{self.groups.graph.name}' has {have}{hint}"
                )

    def _check_least(self, found: Costs) -> None:
        """Raise OptionError if less is left than the lower end of a budget."""
        for limit in self.limits:
            value = found[limit.cost]
            if limit.least is not None and value < limit.least:
                raise OptionError(
                    f"the budget '{limit.text}' leaves too little room: with widths that are"
                    f" multiples of {self.lanes} the most found within it is"
                    f" {limit.readable(value)} {limit.metric}"
                )


def _ranked(cluster: Sequence[int], widths: Widths, scores: Scores) -> Ranked:
    units = tuple(
        tuple(
            sorted(
                (unit.root for unit in widths.groups[place].units),
                key=lambda root: (scores[root], root),
            )
        )
        for place in cluster
    )
    keys = tuple(tuple(map(scores.__getitem__, roots)) for roots in units)
    found = configurations(cluster, widths)
    return Ranked(units, keys, found, tuple(map(sum, found)))


def _nothing(groups: ChannelGroups, rules: Rules) -> str:
    return (
        f"'{groups.graph.name}' has nothing to prune to widths that are multiples of"
        f" {rules.lanes} and at least {rules.min_width}; see --lanes and --min-width"
    )
