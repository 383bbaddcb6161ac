"""Find how many units of groups may stay, so that the widths of layers suit hardware.

The width of a layer with channels of several groups, as after a split and a channel shuffle,
depends on all of them. Such groups form a cluster, and are narrowed together.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence

from msgspec import Struct

from archscope.compress.groups import Group

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


def clusters(groups: Sequence[Group], rules: Rules) -> list[tuple[Group, ...]]:
    """Return the groups that determine widths together; without rules, each group by itself."""
    found: dict[int, list[Group]] = {number: [group] for number, group in enumerate(groups)}
    owners: dict[str, int] = {}
    if rules.lanes > 1 or rules.min_width > 1:
        place = {number: number for number in found}
        for number, group in enumerate(groups):
            for layer in group.layers:
                old, new = place[owners.setdefault(layer, number)], place[number]
                if old != new:
                    found[old] += found.pop(new)
                    place = {key: old if at == new else at for key, at in place.items()}
    return [tuple(cluster) for cluster in found.values()]


def configurations(
    cluster: Sequence[Group], widths: Mapping[str, int], rules: Rules
) -> tuple[Kept, ...]:
    """Return the allowed configurations of a cluster, from the smallest to all of it.

    `widths` are those of all layers. No group gets smaller from one to the next. For a cluster of
    several groups, not all allowed configurations are found.
    """
    if len(cluster) == 1:
        return tuple((kept,) for kept in _counts(cluster[0], widths, rules))
    whole = tuple(len(group.units) for group in cluster)
    found = [whole]
    largest = max(widths[layer] for group in cluster for layer in group.layers)
    tries = 0
    for width in range((largest - 1) // rules.lanes * rules.lanes, 0, -rules.lanes):
        # Allowed widths in all layers are better than some that stay unchanged.
        for strict in (True, False):
            search = _Search(cluster, widths, rules, found[-1], width / largest, strict=strict)
            kept = search.run()
            tries += search.tries
            if kept is not None:
                break
        if kept is not None and kept != found[-1]:
            found.append(kept)
        if tries > MOST_TRIES:
            break
    return tuple(reversed(found))


def _counts(group: Group, widths: Mapping[str, int], rules: Rules) -> Iterator[int]:
    total = len(group.units)
    for kept in range(group.least, total + 1):
        if all(
            rules.allow(widths[layer] - (total - kept) * each, widths[layer])
            for layer, each in zip(group.layers, group.widths, strict=True)
        ):
            yield kept


class _Search:
    """Searches for units of each group of a cluster that give every layer an allowed width.

    Groups of many layers are decided first, so that the layers of fewest groups are known early.
    """

    def __init__(
        self,
        cluster: Sequence[Group],
        widths: Mapping[str, int],
        rules: Rules,
        most: Kept,
        share: float,
        *,
        strict: bool,
    ) -> None:
        self.cluster, self.rules, self.most, self.share = cluster, rules, most, share
        self.whole = (
            dict.fromkeys(widths, -1) if strict else widths
        )  # widths that may stay unchanged
        self.order = sorted(range(len(cluster)), key=lambda n: -len(cluster[n].layers))
        self.kept = [len(group.units) for group in cluster]
        last: dict[str, int] = {}
        for number in self.order:
            last.update(dict.fromkeys(cluster[number].layers, number))
        self.complete: dict[int, list[str]] = defaultdict(list)  # layers by their last group
        for layer, number in last.items():
            self.complete[number].append(layer)
        self.left = dict(widths)
        self.tries = 0

    def run(self) -> Kept | None:
        """Return the numbers close to the fraction; None if none were found."""
        return tuple(self.kept) if self._decide(0) else None

    def _decide(self, step: int) -> bool:
        if step == len(self.order):
            return True
        number = self.order[step]
        group = self.cluster[number]
        total = len(group.units)
        wanted = self.share * total
        for kept in sorted(
            range(group.least, self.most[number] + 1), key=lambda kept: abs(kept - wanted)
        ):
            self.tries += 1
            if self.tries > TRIES:
                return False
            self._keep(group, total, kept)
            if all(self._allowed(layer) for layer in self.complete[number]):
                self.kept[number] = kept
                if self._decide(step + 1):
                    return True
            self._keep(group, kept, total)
        return False

    def _keep(self, group: Group, before: int, after: int) -> None:
        for layer, each in zip(group.layers, group.widths, strict=True):
            self.left[layer] += (after - before) * each

    def _allowed(self, layer: str) -> bool:
        return self.rules.allow(self.left[layer], self.whole[layer])
