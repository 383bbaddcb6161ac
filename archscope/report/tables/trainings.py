"""Trainings as tables."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from archscope.report.table import COUNT, NAME, RATIO, SHARE, Column, Table
from archscope.units import format_duration

if TYPE_CHECKING:
    from archscope.records.training import Summary

IMAGES = {"untrained": "validation"}
"""Which images a row is about that is not named after them."""


def summary_table(summary: Summary) -> Table:
    """Return the scores of a run: a row for each split, those of its best epoch and of the test."""
    scores = _scores(summary)
    measures = list(dict.fromkeys(name for score in scores.values() for name in score))
    columns = (Column("split", NAME), Column("images", COUNT), *map(_measure, measures))
    rows = tuple(
        (split, summary.data[IMAGES.get(split, split)], *map(one.get, measures))
        for split, one in scores.items()
    )
    best = f", best epoch {summary.best.epoch}" if summary.best else ""
    title = (
        f"{summary.network} on {summary.data['name']}: {summary.state} ({summary.reason}),"
        f" {summary.epochs} epochs{best}, {format_duration(summary.seconds)}"
    )
    return Table(title, columns, rows)


def seeds_table(summaries: Sequence[Summary]) -> Table:
    """Return a row for each seed with its scores, then their mean and spread.

    The spread is the standard deviation of a sample (divided by n - 1).
    """
    flat = [_flat(summary) for summary in summaries]
    names = list(dict.fromkeys(name for one in flat for name in one))
    columns = (Column("seed", NAME), Column("state", NAME), *map(_measure, names))
    rows = tuple(
        (str(summary.seed), summary.state, *(one.get(name) for name in names))
        for summary, one in zip(summaries, flat, strict=True)
    )
    values = [[one[name] for one in flat if name in one] for name in names]
    totals = (
        ("mean", "", *map(mean, values)),
        ("spread", "", *(stdev(value) if len(value) > 1 else None for value in values)),
    )
    return Table(f"{summaries[0].network} on {summaries[0].data['name']}", columns, rows, totals)


def runs_table(summaries: Sequence[Summary]) -> Table:
    """Return a row for each run."""
    columns = (
        Column("run", NAME),
        Column("network", NAME),
        Column("data", NAME),
        Column("state", NAME),
        Column("epochs", COUNT),
        Column("params", COUNT),
        Column("macs", COUNT),
        Column("measure", NAME),
        Column("validation", SHARE),
        Column("test", SHARE),
        Column("time", NAME),
    )
    rows = tuple(
        (
            summary.name,
            summary.network,
            summary.data["name"],
            summary.state,
            summary.epochs,
            summary.params,
            summary.macs,
            summary.goal,
            summary.best.validation[summary.goal]
            if summary.best and summary.best.validation
            else None,
            summary.test[summary.goal] if summary.test else None,
            format_duration(summary.seconds),
        )
        for summary in summaries
    )
    return Table("", columns, rows)


def _scores(summary: Summary) -> dict[str, dict[str, float]]:
    best = summary.best
    scores = {
        "untrained": summary.task.get("untrained"),
        "train": best.train if best else None,
        "validation": best.validation if best else None,
        "test": summary.test,
    }
    return {split: one for split, one in scores.items() if one}


def _flat(summary: Summary) -> dict[str, Any]:
    return {
        f"{split} {name}": value
        for split, one in _scores(summary).items()
        for name, value in one.items()
        if split not in ("train", "untrained")
    }


def _measure(name: str) -> Column:
    return Column(name, RATIO if name.endswith("loss") else SHARE)
