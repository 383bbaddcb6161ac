"""Draw the conclusion of a study: a winner, or networks that are tied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

from msgspec import Struct, structs

from archscope.metrics import MACS, metric_of
from archscope.records.study import BASELINE, Finalist, Trial, missed
from archscope.search.reliability import Repeat, least_difference
from archscope.stats import beyond_chance, residual_variation, students_t, variation_within


class Conclusion(Struct, frozen=True):
    """The conclusion of a study."""

    verdict: str  # a sentence
    tied: tuple[int, ...]  # the best trial and those not significantly worse
    finalists: tuple[Finalist, ...]
    met: bool = True  # whether a finalist holds the latency budgets, as far as measured


def conclusion(
    finalists: Sequence[Finalist],
    trials: Sequence[Trial],
    repeats: Sequence[Repeat],
    cost: str = MACS,
) -> Conclusion:
    """Return the conclusion from the final trainings; `cost` decides between tied networks.

    The best mean wins if it is significantly above each of the others (t tests at 5 %). This needs
    no correction for their number: a win takes all of the tests. Otherwise, networks are tied with
    the best unless they differ by more than any two of so many equal networks would (Tukey's range
    test at 5 %). The variation between seeds is pooled over finalists and repeats. A network that
    is no better than guessing cannot win, and neither can one that exceeds a latency budget when
    measured; such finalists come last.
    """
    if not finalists:
        ended = any(trial.accuracy is not None for trial in trials)
        why = "no network was trained again" if ended else "no network was trained to its end"
        return Conclusion(f"{why}, so there is no winner", (), ())
    first = finalists[0]
    if first.misses:
        return Conclusion(_unmet(finalists), (), tuple(finalists), met=False)
    holding = [row for row in finalists if not row.misses]
    places = {trial.number: trial for trial in trials}
    variation = _variation(finalists, repeats)
    least = least_difference(*variation) if variation else None
    tied = _within(least, holding)
    if variation and len(tied) > 1:
        least = least_difference(*variation, len(holding))
        tied = _within(least, holding)
    numbers = tuple(row.trial for row in tied)
    marked = tuple(
        structs.replace(row, tied=row.trial in numbers and len(tied) > 1)
        for row in _with_intervals(finalists, repeats)
    )
    result = places[first.trial].result
    chance, images = (result.chance, result.validated) if result else (0.0, 0)
    seen = images * len(first.scores)
    if images and not beyond_chance(first.mean, seen, chance, len(finalists)):
        verdict = (
            f"no winner: the best mean, {_percent(first.mean)}, is no better than always guessing"
            f" the most frequent class ({_percent(chance)})"
        )
        return Conclusion(verdict, numbers, marked)
    if len(tied) > 1:
        verdict = _tie(tied, first, least, cost, places)
    else:
        verdict = _win(holding, least, places)
    return Conclusion("; ".join([verdict, *_missing(finalists)]), numbers, marked)


def _unmet(finalists: Sequence[Finalist]) -> str:
    """Return the sentence for finalists that all exceed a latency budget."""
    return "; ".join(["no winner: no network that was measured holds its latency budget",
                      *_missing(finalists)])  # fmt: skip


def _missing(finalists: Sequence[Finalist]) -> list[str]:
    """Return what each network that exceeds a latency budget reached, and by how much."""
    return [
        f"trial {row.trial} ({_percent(row.mean)}) {missed(row)}" for row in finalists if row.misses
    ]


def _variation(
    finalists: Sequence[Finalist], repeats: Sequence[Repeat]
) -> tuple[float, int] | None:
    """Return the residual sum of squares between seeds and its degrees of freedom, if any."""
    most = max(len(row.scores) for row in finalists)
    tables = [
        [row.scores for row in finalists if len(row.scores) == most],
        [row.scores for row in repeats],
    ]
    found = [residual_variation(table) for table in tables]
    squares, degrees = sum(part[0] for part in found), sum(part[1] for part in found)
    return (squares, degrees) if degrees else None


def _within(least: float | None, finalists: Sequence[Finalist]) -> list[Finalist]:
    """Return the finalists whose difference from the first is not significant."""
    first = finalists[0]
    return [
        row
        for row in finalists
        if least is None or first.mean - row.mean <= least * _width(first, row)
    ]


def _with_intervals(finalists: Sequence[Finalist], repeats: Sequence[Repeat]) -> list[Finalist]:
    """Add the 95 % interval of each mean over seeds, by Student's t distribution.

    The variance between seeds is pooled over finalists and repeats. There is no interval for a
    network that was not trained again: its score was chosen because it is high.
    """
    squares, degrees = variation_within(
        [*(row.scores for row in finalists), *(row.scores for row in repeats)]
    )
    if not degrees:
        return [*finalists]
    deviation = students_t(degrees) * sqrt(squares / degrees)
    found = []
    for row in finalists:
        half = deviation / sqrt(len(row.scores))
        if row.runs:
            low, high = max(0.0, row.mean - half), min(1.0, row.mean + half)
            row = structs.replace(row, low=low, high=high)
        found.append(row)
    return found


def _width(first: Finalist, other: Finalist) -> float:
    """Return the standard error of the difference of two means, for a deviation of 1."""
    return sqrt(1 / len(first.scores) + 1 / len(other.scores))


def _tie(
    tied: Sequence[Finalist],
    first: Finalist,
    least: float | None,
    cost: str,
    places: Mapping[int, Trial],
) -> str:
    numbers = [str(row.trial) for row in tied]
    cheapest = min(tied, key=lambda row: (row.costs.get(cost, 0.0), -row.mean))
    why = "each was trained once, so nothing is known of chance"
    if least is not None:
        last = tied[-1]
        why = (
            f"they differ by {_points(first.mean - last.mean)}, and"
            f" {_points(least * _width(first, last))} may be chance"
        )
    text = (
        f"no winner: trials {', '.join(numbers[:-1])} and {numbers[-1]} are tied ({why}); the"
        f" cheapest is trial {cheapest.trial} ({metric_of(cost).unit.format(cheapest.costs[cost])}"
        f" {cost})"
    )
    return "; ".join([text, *_plain(tied, places)])


def _win(finalists: Sequence[Finalist], least: float | None, places: Mapping[int, Trial]) -> str:
    first = finalists[0]
    text = f"trial {first.trial} is the best with {_percent(first.mean)}"
    if len(finalists) == 1:
        text = f"trial {first.trial} reached {_percent(first.mean)}; no other was trained again"
    if len(finalists) > 1 and least is not None:
        second = finalists[1]
        text += (
            f", {_points(first.mean - second.mean)} above the next, where"
            f" {_points(least * _width(first, second))} may be chance"
        )
    return "; ".join([text, *_plain([first], places)])


def _plain(rows: Sequence[Finalist], places: Mapping[int, Trial]) -> list[str]:
    """Return sentences about the networks that the search did not have to find."""
    found = []
    for row in rows:
        origin = places[row.trial].origin if row.trial in places else ""
        if origin.startswith("anchor"):
            found.append(f"trial {row.trial} is an anchor, which the search began with")
        elif origin == BASELINE:
            found.append(f"trial {row.trial} belongs to the baseline, drawn uniformly")
    return found


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _points(share: float) -> str:
    return f"{100 * share:.1f} points"
