"""Compare the accuracy of the networks of a report, and find those tied with the best.

Accuracies are compared only if they are of the same kind and on the same images.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import isfinite, sqrt
from statistics import fmean, stdev

from msgspec import Struct

from archscope.metrics import ACCURACY, PREDICTED, PUBLISHED
from archscope.report.pages.content import MeasuredAccuracy, NetworkSection
from archscope.stats import Z95, students_t, variation_within

KINDS = (ACCURACY, PREDICTED, PUBLISHED)
"""Measures of accuracy, the most informative first."""


class Quality(Struct, frozen=True):
    """Networks that can be compared by accuracy, the best first."""

    measure: str  # one of KINDS
    networks: tuple[NetworkSection, ...]
    tied: tuple[NetworkSection, ...]  # with the best, which is the first of them
    chance: float  # the largest insignificant difference to a tied network, as a share


def measured(
    scores: Sequence[float], images: int, on: str
) -> MeasuredAccuracy:  # the seeds in their order
    """Return the accuracy of a network over the seeds of its trainings."""
    spread = stdev(scores) if len(scores) > 1 else None
    return MeasuredAccuracy(tuple(scores), fmean(scores), spread, images, on)


def number(network: NetworkSection, key: str) -> float | None:
    """Return a value of a network if it is known and finite."""
    value = network.values.get(key)
    return value if value is not None and isfinite(value) else None


def comparable(networks: Sequence[NetworkSection]) -> list[NetworkSection]:
    """Return the networks with the most frequent input.

    Costs of networks for images of different sizes are not comparable.
    """
    return _largest(networks, lambda network: network.input)


def rivals(networks: Sequence[NetworkSection], key: str) -> list[NetworkSection]:
    """Return the comparable networks with a measure; accuracies must be on the same images.

    Of several groups of comparable networks, the first of the largest is returned.
    """
    known = [network for network in networks if number(network, key) is not None]
    if key != ACCURACY:
        alike = {network.id for network in comparable(networks)}
        return [network for network in known if network.id in alike]
    return _largest(
        known, lambda net: (net.input, net.measured.on if net.measured is not None else "")
    )


def quality(networks: Sequence[NetworkSection]) -> Quality | None:
    """Compare networks by accuracy: measured, else predicted, else published.

    None if fewer than two can be compared.
    """
    for key in KINDS:
        group = rivals(networks, key)
        if len(group) > 1:
            ranked = sorted(group, key=lambda network: -(number(network, key) or 0.0))
            tied, chance = _tied(ranked, key)
            return Quality(key, tuple(ranked), tuple(tied), chance)
    return None


def _largest(networks: Sequence[NetworkSection], key: object) -> list[NetworkSection]:
    groups: dict[object, list[NetworkSection]] = {}
    assert callable(key)
    for network in networks:
        groups.setdefault(key(network), []).append(network)
    return max(groups.values(), key=len, default=[])


def _tied(ranked: Sequence[NetworkSection], key: str) -> tuple[list[NetworkSection], float]:
    """Return the networks tied with the first, and the largest insignificant difference."""
    first, *others = ranked
    best = number(first, key) or 0.0
    between = _deviation(ranked)
    tied, most = [first], 0.0
    for network in others:
        value = number(network, key) or 0.0
        if key == ACCURACY:
            least = _least_difference(first, network, *between)
        elif key == PREDICTED and network.predicted is not None:
            least = network.predicted[1] - value
        else:
            least = 0.0
        if best - value <= least:
            tied.append(network)
            most = max(most, least)
    return tied, most


def _deviation(networks: Sequence[NetworkSection]) -> tuple[float, int]:
    """Return the pooled standard deviation between seeds, and its degrees of freedom."""
    groups = [net.measured.scores for net in networks if net.measured is not None]
    squares, degrees = variation_within(groups)
    return sqrt(squares / max(degrees, 1)), degrees


def _least_difference(
    first: NetworkSection, second: NetworkSection, deviation: float, degrees: int
) -> float:
    """Return the least significant difference of two mean accuracies.

    The variance due to seeds is estimated, that due to the sample of images is known (Welch 1947,
    Satterthwaite 1946).
    """
    found = [network.measured for network in (first, second) if network.measured is not None]
    seeds = sum(deviation**2 / len(each.scores) for each in found)
    images = sum(max(each.mean * (1 - each.mean), 0) / each.images for each in found if each.images)
    if not seeds:
        return Z95 * sqrt(images)
    effective = degrees * ((seeds + images) / seeds) ** 2
    return students_t(int(effective)) * sqrt(seeds + images)
