"""Find how many units of groups may stay, so that the widths of layers suit hardware.

The width of a layer with channels of several groups, as after a split and a channel shuffle,
depends on all of them. Such groups form a cluster, and are narrowed together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import prod

from msgspec import Struct

from archscope.compress.groups import Group, Term

Kept = tuple[int, ...]
"""The number of units that stay of each group of a cluster."""

TRIES, MOST_TRIES = 3000, 60_000
"""Numbers of units to try for a width of a cluster, and for all widths, before giving up."""


class Rules(Struct, frozen=True):
    """Rules for layers of changed width: multiples of `lanes`, and at least `min_width`."""

    lanes: int
    min_width: int

    def allow(self, width: int, whole: int) -> bool:
        """Return whether a layer of width `whole` may have another."""
        return width == whole or (width % self.lanes == 0 and width >= self.min_width)


class Widths(Struct, frozen=True):
    """The widths of layers, which depend on how many units of their groups stay."""

    groups: Sequence[Group]
    terms: Mapping[str, tuple[Term, ...]]
    rules: Rules

    def layers(self, place: int) -> tuple[str, ...]:
        """Return the layers with channels of a group."""
        return self.groups[place].layers

    def whole(self, place: int) -> int:
        """Return the number of units of a group."""
        return len(self.groups[place].units)

    def width(self, layer: str, kept: Callable[[int], int]) -> int:
        """Return the channels of a layer, given how many units of each group stay."""
        return sum(term.times * prod(map(kept, term.groups)) for term in self.terms[layer])

    def allows(self, layer: str, kept: Callable[[int], int], *, strict: bool = False) -> bool:
        """Return whether the rules allow the width, and that of heads if it changed.

        Beside channels that always stay, such as a gate that a layer makes with its features, the
        others may have an allowed width instead. With `strict`, the width must have changed.
        """
        whole = -1 if strict else self.width(layer, self.whole)
        width = self.width(layer, kept)
        stay = sum(term.times for term in self.terms[layer] if not term.groups)
        inner = (term.groups[-1] for term in self.terms[layer] if len(term.groups) > 1)
        return (self.rules.allow(width, whole) or self.rules.allow(width - stay, -1)) and all(
            self.rules.allow(kept(place), self.whole(place)) for place in inner
        )


def clusters(places: Sequence[int], widths: Widths) -> list[tuple[int, ...]]:
    """Return the groups that determine widths together; without rules, each group by itself.

    A width that is the product of groups suits hardware if its last group does.
    """
    found: dict[int, list[int]] = {number: [number] for number in places}
    if widths.rules.lanes > 1 or widths.rules.min_width > 1:
        at = {number: number for number in places}
        for terms in widths.terms.values():
            linked = [n for term in terms for n in term.groups if n in at] if len(terms) > 1 else []
            for number in linked:
                old, new = at[linked[0]], at[number]
                if old != new:
                    found[old] += found.pop(new)
                    at = {key: old if place == new else place for key, place in at.items()}
    return [tuple(cluster) for cluster in found.values()]


def configurations(cluster: Sequence[int], widths: Widths) -> tuple[Kept, ...]:
    """Return the allowed configurations of a cluster, from the smallest to all of it.

    No group gets smaller from one to the next. For a cluster of several groups, not all allowed
    configurations are found.
    """
    if len(cluster) == 1:
        return tuple((kept,) for kept in _counts(cluster[0], widths))
    found = [tuple(map(widths.whole, cluster))]
    layers = {layer for place in cluster for layer in widths.layers(place)}
    largest = max(widths.width(layer, widths.whole) for layer in layers)
    lanes, tries = widths.rules.lanes, 0
    for width in range((largest - 1) // lanes * lanes, 0, -lanes):
        # Allowed widths in all layers are better than some that stay unchanged.
        for strict in (True, False):
            search = _Search(cluster, widths, found[-1], width / largest, strict=strict)
            kept = search.run()
            tries += search.tries
            if kept is not None:
                break
        if kept is not None and kept != found[-1]:
            found.append(kept)
        if tries > MOST_TRIES:
            break
    return tuple(reversed(found))


def _counts(place: int, widths: Widths) -> Iterator[int]:
    for kept in range(widths.groups[place].least, widths.whole(place) + 1):

        def left(at: int, kept: int = kept) -> int:
            return kept if at == place else widths.whole(at)

        if all(widths.allows(layer, left) for layer in widths.layers(place)):
            yield kept


class _Search:
    """Searches for units of each group of a cluster that give every layer an allowed width.

    Groups of many layers are decided first, so that the layers of fewest groups are known early.
    """

    def __init__(
        self, cluster: Sequence[int], widths: Widths, most: Kept, share: float, *, strict: bool
    ) -> None:
        self.widths, self.most, self.share, self.strict = widths, most, share, strict
        self.cluster = cluster
        self.order = sorted(range(len(cluster)), key=lambda n: -len(widths.layers(cluster[n])))
        self.kept = {place: widths.whole(place) for place in cluster}
        last: dict[str, int] = {}
        for number in self.order:
            last.update(dict.fromkeys(widths.layers(cluster[number]), number))
        self.complete: dict[int, list[str]] = defaultdict(list)  # layers by their last group
        for layer, number in last.items():
            self.complete[number].append(layer)
        self.tries = 0

    def run(self) -> Kept | None:
        """Return the numbers close to the fraction; None if none were found."""
        return tuple(self.kept.values()) if self._decide(0) else None

    def _decide(self, step: int) -> bool:
        if step == len(self.order):
            return True
        number = self.order[step]
        place = self.cluster[number]
        total = self.widths.whole(place)
        wanted = self.share * total
        for kept in sorted(
            range(self.widths.groups[place].least, self.most[number] + 1),
            key=lambda kept: abs(kept - wanted),
        ):
            self.tries += 1
            if self.tries > TRIES:
                return False
            self.kept[place] = kept
            if all(
                self.widths.allows(layer, self._left, strict=self.strict)
                for layer in self.complete[number]
            ) and self._decide(step + 1):
                return True
        self.kept[place] = total
        return False

    def _left(self, place: int) -> int:
        kept = self.kept.get(place)
        return self.widths.whole(place) if kept is None else kept
