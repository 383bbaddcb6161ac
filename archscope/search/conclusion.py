"""Draw the conclusion of a study: a winner, or networks that are tied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import sqrt

from msgspec import Struct, structs

from archscope.metrics import MACS, metric_of
from archscope.records.study import BASELINE, Finalist, Trial
from archscope.search.reliability import Repeat, least_difference
from archscope.stats import beyond_chance, residual_variation


class Conclusion(Struct, frozen=True):
    """The conclusion of a study."""

    verdict: str  # a sentence
    tied: tuple[int, ...]  # the best trial and those not significantly worse
    finalists: tuple[Finalist, ...]


def conclusion(
    finalists: Sequence[Finalist],
    trials: Sequence[Trial],
    repeats: Sequence[Repeat],
    cost: str = MACS,
) -> Conclusion:
    """Return the conclusion from the final trainings; `cost` decides between tied networks.

    Two networks are tied if the difference of their means is within the variation between seeds at
    the 95 % level (t test, with the variation of finalists and repeats pooled). A network that is
    no better than guessing cannot win.
    """
    if not finalists:
        ended = any(trial.accuracy is not None for trial in trials)
        why = "no network was trained again" if ended else "no network was trained to its end"
        return Conclusion(f"{why}, so there is no winner", (), ())
    first = finalists[0]
    least = _least_difference(finalists, repeats)
    places = {trial.number: trial for trial in trials}
    tied = [
        row
        for row in finalists
        if least is None or first.mean - row.mean <= least * _width(first, row)
    ]
    marked = tuple(structs.replace(row, tied=row in tied and len(tied) > 1) for row in finalists)
    numbers = tuple(row.trial for row in tied)
    result = places[first.trial].result
    chance, images = (result.chance, result.validated) if result else (0.0, 0)
    if images and not beyond_chance(first.mean, images * len(first.scores), chance):
        verdict = (
            f"no winner: the best mean, {_percent(first.mean)}, is no better than always guessing"
            f" the most frequent class ({_percent(chance)})"
        )
        return Conclusion(verdict, numbers, marked)
    if len(tied) > 1:
        return Conclusion(_tie(tied, first, least, cost, places), numbers, marked)
    return Conclusion(_win(marked, least, places), numbers, marked)


def _least_difference(finalists: Sequence[Finalist], repeats: Sequence[Repeat]) -> float | None:
    """Return the least significant difference of two single scores; None if unknown."""
    most = max(len(row.scores) for row in finalists)
    tables = [
        [row.scores for row in finalists if len(row.scores) == most],
        [row.scores for row in repeats],
    ]
    found = [residual_variation(table) for table in tables]
    squares, degrees = sum(part[0] for part in found), sum(part[1] for part in found)
    if not degrees:
        return None
    return least_difference(squares, degrees)


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
