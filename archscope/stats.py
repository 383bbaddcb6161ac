"""Statistics that several rooms need: rank correlation and confidence intervals."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from random import Random
from statistics import StatisticsError, correlation, fmean

RESAMPLES = 2000
"""Of the bootstrap."""

Z95 = 1.96
"""Standard deviations on both sides of the mean that hold 95 % of a normal distribution."""


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation of two samples of one length.

    None if it is not defined: fewer than two pairs, or a sample whose values are all equal.
    """
    try:
        return correlation(_ranks(first), _ranks(second))
    except StatisticsError:
        return None


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value; equal values share the mean of theirs."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    return [fmean(places[value]) for value in values]


def bootstrap_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % confidence interval of a mean, by the bootstrap (Efron 1979)."""
    random = Random(seed)  # noqa: S311 nothing secret is drawn
    means = sorted(fmean(random.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion (Wilson 1927)."""
    share, z = successes / trials, Z95
    middle = share + z * z / (2 * trials)
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)
