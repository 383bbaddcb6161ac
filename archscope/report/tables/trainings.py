"""Tables of trainings and evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from archscope.report.table import COUNT, NAME, RATIO, SHARE, Column, Table, table_of
from archscope.units import format_duration

if TYPE_CHECKING:
    from archscope.records.evaluation import Evaluation, PairEvaluation
    from archscope.records.training import RunSummary

IMAGES = {"untrained": "validation"}
"""The split of a row that is not named after it."""

MISTAKES = 5  # pairs of classes that are listed


def summary_table(summary: RunSummary) -> Table:
    """Return the scores of a run: a row for each split, those of its best epoch and of the test."""
    scores = _scores(summary)
    measures = list(dict.fromkeys(name for score in scores.values() for name in score))
    columns = (Column("split", NAME), Column("images", COUNT), *map(_measure, measures))
    rows = tuple(
        (split, summary.data[IMAGES.get(split, split)], *map(values.get, measures))
        for split, values in scores.items()
    )
    best = f", best epoch {summary.best.epoch}" if summary.best else ""
    title = (
        f"{summary.network} on {summary.data['name']}: {summary.state} ({summary.reason}),"
        f" {summary.epochs} epochs{best}, {format_duration(summary.seconds)}"
    )
    return Table(title, columns, rows)


def seeds_table(summaries: Sequence[RunSummary]) -> Table:
    """Return a row for each seed with its scores, then their mean and spread.

    The spread is the standard deviation of a sample (divided by n - 1).
    """
    flat = [_flat(summary) for summary in summaries]
    names = list(dict.fromkeys(name for scores in flat for name in scores))
    columns = (Column("seed", NAME), Column("state", NAME), *map(_measure, names))
    rows = tuple(
        (str(summary.seed), summary.state, *map(scores.get, names))
        for summary, scores in zip(summaries, flat, strict=True)
    )
    values = [[scores[name] for scores in flat if name in scores] for name in names]
    totals = (
        ("mean", "", *map(mean, values)),
        ("spread", "", *(stdev(value) if len(value) > 1 else None for value in values)),
    )
    return Table(f"{summaries[0].network} on {summaries[0].data['name']}", columns, rows, totals)


def runs_table(summaries: Sequence[RunSummary]) -> Table:
    """Return a row for each run."""
    return table_of(
        summaries,
        (Column("run", NAME), lambda run: run.name),
        (Column("network", NAME), lambda run: run.network),
        (Column("data", NAME), lambda run: run.data["name"]),
        (Column("state", NAME), lambda run: run.state),
        (Column("epochs", COUNT), lambda run: run.epochs),
        (Column("params", COUNT), lambda run: run.params),
        (Column("macs", COUNT), lambda run: run.macs),
        (Column("measure", NAME), lambda run: run.goal),
        (
            Column("validation", SHARE),
            lambda run: run.best.validation[run.goal] if run.best and run.best.validation else None,
        ),
        (Column("test", SHARE), lambda run: run.test[run.goal] if run.test else None),
        (Column("time", NAME), lambda run: format_duration(run.seconds)),
    )


def evaluation_tables(title: str, result: Evaluation) -> list[Table]:
    """Return the scores, the accuracy by class, and the most frequent mistakes."""
    scores = Table(
        title,
        (Column("images", COUNT), *map(_measure, result.scores)),
        ((result.images, *result.scores.values()),),
    )
    by_class = Table(
        "",
        (Column("class", NAME), Column("images", COUNT), Column("right", SHARE)),
        tuple(
            (name, sum(row), row[place] / sum(row) if sum(row) else None)
            for place, (name, row) in enumerate(zip(result.classes, result.confusion, strict=True))
        ),
    )
    mistakes = sorted(
        (
            (result.classes[label], result.classes[guess], count)
            for label, row in enumerate(result.confusion)
            for guess, count in enumerate(row)
            if label != guess and count
        ),
        key=lambda mistake: -mistake[2],
    )
    if not mistakes:
        return [scores, by_class]
    columns = (Column("class", NAME), Column("taken for", NAME), Column("images", COUNT))
    return [scores, by_class, Table("", columns, tuple(mistakes[:MISTAKES]))]


def pair_evaluation_table(title: str, result: PairEvaluation) -> Table:
    """Return the scores of pairs of embeddings."""
    columns = (Column("images", COUNT), Column("pairs", COUNT), *map(_measure, result.scores))
    row = (result.images, result.pairs, *result.scores.values())
    return Table(f"{title}, pairs of {len(result.classes)} classes", columns, (row,))


def _scores(summary: RunSummary) -> dict[str, dict[str, float]]:
    best = summary.best
    scores = {
        "untrained": summary.task.get("untrained"),
        "train": best.train if best else None,
        "validation": best.validation if best else None,
        "test": summary.test,
    }
    return {split: values for split, values in scores.items() if values}


def _flat(summary: RunSummary) -> dict[str, Any]:
    return {
        f"{split} {name}": value
        for split, scores in _scores(summary).items()
        for name, value in scores.items()
        if split not in ("train", "untrained")
    }


def _measure(name: str) -> Column:
    return Column(name, RATIO if name.endswith("loss") else SHARE)
