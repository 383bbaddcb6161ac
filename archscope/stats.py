"""Statistics that several rooms need: rank correlation, confidence intervals and tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise
from math import erfc, exp, lgamma, log, log1p, sqrt
from random import Random
from statistics import StatisticsError, correlation, fmean

RESAMPLES = 2000
"""Of the bootstrap."""

CHANCE = 0.01
"""Significance level: scores less probable than this are not due to chance."""

Z95 = 1.96
"""The number of standard deviations around the mean that contain 95 % of a normal distribution."""

STUDENTS_T = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228)
"""Two-sided 95 % quantiles of Student's t distribution with 1 to 10 degrees of freedom."""


def rank_correlation(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Return Spearman's rank correlation of two samples of the same length.

    None if it is not defined: fewer than two pairs, or a sample whose values are all equal.
    """
    try:
        return correlation(_ranks(first), _ranks(second))
    except StatisticsError:
        return None


def _ranks(values: Sequence[float]) -> list[float]:
    """Return the rank of each value; equal values share their mean rank."""
    places: dict[float, list[int]] = {}
    for place, value in enumerate(sorted(values)):
        places.setdefault(value, []).append(place)
    return [fmean(places[value]) for value in values]


def dominated_area(points: Iterable[tuple[float, float]], most: float, least: float) -> float:
    """Return the area dominated by points (cost, score), below a cost and above a score.

    It is the hypervolume of two objectives (Zitzler, Thiele 1998).
    """
    area, reached = 0.0, least
    steps = []
    for cost, score in sorted(points):
        if score > reached and cost <= most:
            steps.append((cost, score))
            reached = score
    for (cost, score), (end, _) in pairwise([*steps, (most, least)]):
        area += (end - cost) * (score - least)
    return area


def bootstrap_interval(values: Sequence[float], seed: int = 0) -> tuple[float, float]:
    """Return the 95 % confidence interval of a mean, by the bootstrap (Efron 1979)."""
    random = Random(seed)  # noqa: S311 nothing secret is drawn
    means = sorted(fmean(random.choices(values, k=len(values))) for _ in range(RESAMPLES))
    return means[int(0.025 * RESAMPLES)], means[int(0.975 * RESAMPLES) - 1]


def students_t(degrees: int) -> float:
    """Return the two-sided 95 % quantile of Student's t distribution, for 1 degree or more.

    Accurate to 0.1 % without scipy: a table for few degrees of freedom, and expansion 26.7.5 of
    Abramowitz and Stegun (1964) beyond.
    """
    if degrees <= len(STUDENTS_T):
        return STUDENTS_T[max(degrees, 1) - 1]
    z = Z95
    first = (z**3 + z) / 4
    second = (5 * z**5 + 16 * z**3 + 3 * z) / 96
    return z + first / degrees + second / degrees**2


def wilson_interval(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95 % confidence interval of a proportion (Wilson 1927)."""
    share, z = successes / trials, Z95
    middle = share + z * z / (2 * trials)
    spread = z * sqrt(share * (1 - share) / trials + z * z / (4 * trials * trials))
    scale = 1 + z * z / trials
    return max(0.0, (middle - spread) / scale), min(1.0, (middle + spread) / scale)


def difference_interval(
    first: int, of_first: int, second: int, of_second: int
) -> tuple[float, float]:
    """Return the 95 % confidence interval of the difference of two independent proportions.

    It is the square-and-add interval of two Wilson intervals (Newcombe 1998, method 10).
    """
    left, right = first / of_first, second / of_second
    (low, high), (least, most) = (
        wilson_interval(first, of_first), wilson_interval(second, of_second)
    )  # fmt: skip
    difference = left - right
    return (
        difference - sqrt((left - low) ** 2 + (most - right) ** 2),
        difference + sqrt((high - left) ** 2 + (right - least) ** 2),
    )


def binomial_tail(successes: int, trials: int, chance: float) -> float:
    """Return the probability of at least this many successes, if each has probability `chance`.

    That is the p-value of the one-sided exact binomial test.
    """
    if successes <= 0 or chance >= 1:
        return 1.0
    if chance <= 0:
        return 0.0
    whole, up, down = lgamma(trials + 1), log(chance), log1p(-chance)
    return min(1.0, sum(
        exp(whole - lgamma(k + 1) - lgamma(trials - k + 1) + k * up + (trials - k) * down)
        for k in range(successes, trials + 1)
    ))  # fmt: skip


def beyond_chance(accuracy: float, images: int, chance: float, among: int = 1) -> bool:
    """Return whether an accuracy on this many images is better than guessing (binomial test).

    `chance` is the accuracy of always guessing the most frequent class; `among` is how many
    accuracies this is the best of (Bonferroni's correction). False for no images.
    """
    return images > 0 and among * binomial_tail(round(accuracy * images), images, chance) < CHANCE


def chi_square_tail(value: float, degrees: int) -> float:
    """Return the probability that a chi-square variable is at least `value`.

    Finite sums for whole degrees of freedom: Abramowitz and Stegun (1964), 26.4.4 and 26.4.5.
    """
    half = value / 2
    if half <= 0:
        return 1.0
    tail = erfc(sqrt(half)) if degrees % 2 else 0.0
    powers = (k + 0.5 * (degrees % 2) for k in range(degrees // 2))
    return min(1.0, tail + sum(exp(k * log(half) - half - lgamma(k + 1)) for k in powers))


def kruskal_wallis(groups: Sequence[Sequence[float]]) -> float | None:
    """Return the p-value of the test that groups of values have the same distribution.

    Kruskal and Wallis 1952, with the chi-square approximation and the correction for ties. None
    for fewer than two groups, or if all values are equal.
    """
    values = [value for group in groups for value in group]
    count = len(values)
    ties = Counter(values)
    if sum(map(bool, groups)) < 2 or len(ties) < 2:
        return None
    ranks = iter(_ranks(values))  # from 0
    sums = [(sum(1 + next(ranks) for _ in group), len(group)) for group in groups if group]
    spread = sum(whole**2 / size for whole, size in sums)
    statistic = 12 * spread / (count * (count + 1)) - 3 * (count + 1)
    correction = 1 - sum(tied**3 - tied for tied in ties.values()) / (count**3 - count)
    return chi_square_tail(statistic / correction, len(sums) - 1)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Return the p-values of several tests, corrected for their number (Holm 1979)."""
    corrected, most = {}, 0.0
    for place, name in enumerate(sorted(p_values, key=lambda name: p_values[name])):
        most = max(most, min(1.0, (len(p_values) - place) * p_values[name]))
        corrected[name] = most
    return corrected


def variation_within(rows: Iterable[Sequence[float]]) -> tuple[float, int]:
    """Return the sum of squares of values around the mean of their row, and its degrees of freedom.

    Their ratio is the variance within rows, pooled over rows that may differ in length.
    """
    squares, degrees = 0.0, 0
    for row in rows:
        mean = fmean(row)
        squares += sum((value - mean) ** 2 for value in row)
        degrees += len(row) - 1
    return squares, degrees


def residual_variation(rows: Sequence[Sequence[float]]) -> tuple[float, int]:
    """Return the residual sum of squares of a table, and its degrees of freedom.

    The residual is what remains of values minus the means of their row and column. If rows are
    networks and columns are seeds, which may be better or worse for all networks, it is how much
    values vary by chance. Rows must have the same length; for fewer than two rows, only the mean
    of the row is subtracted.
    """
    count, length = len(rows), len(rows[0]) if rows else 0
    if length < 2:
        return 0.0, 0
    means = [fmean(row) for row in rows]
    columns = [fmean(column) for column in zip(*rows, strict=True)]
    whole = fmean(means)
    if count < 2:
        columns = [whole] * length
    squares = sum(
        (value - mean - column + whole) ** 2
        for row, mean in zip(rows, means, strict=True)
        for value, column in zip(row, columns, strict=True)
    )
    return squares, max(count - 1, 1) * (length - 1)
