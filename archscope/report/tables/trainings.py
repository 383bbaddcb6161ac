"""Tables of trainings and evaluations."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import mean, stdev
from typing import TYPE_CHECKING, Any

from archscope.records.seeds import SeedGroup, spread
from archscope.report.table import (
    COUNT,
    MAJOR,
    MINOR,
    NAME,
    RATIO,
    SHARE,
    Column,
    Field,
    Table,
    table_of,
)
from archscope.stats import wilson_interval
from archscope.units import format_duration

if TYPE_CHECKING:
    from archscope.records.evaluation import Evaluation, PairEvaluation
    from archscope.records.training import RunSummary

IMAGES = {"untrained": "validation", "untrained, test": "test"}
"""The splits of rows with other names."""

GUESSING = "guessing"
INTERVAL = (Column("from", SHARE, "interval_from"), Column("to", SHARE, "interval_to"))
NONE = (None, None)  # for a score without an interval
MISTAKES = 5  # pairs of classes to list


def summary_table(summary: RunSummary) -> Table:
    """Return the scores of a run: a row for each split, of its best epoch and of the test.

    Accuracies on images not used for training have 95 % confidence intervals, and a row has the
    accuracy of guessing.
    """
    scores = _scores(summary)
    measures = list(dict.fromkeys(name for score in scores.values() for name in score))
    chance = summary.data.get("chance")
    columns = (Column("split", NAME), Column("images", COUNT), *map(_measure, measures))
    rows = [
        (split, summary.data[IMAGES.get(split, split)], *map(values.get, measures))
        for split, values in scores.items()
    ]
    if chance is not None:
        columns += INTERVAL
        held = ("validation", "test")
        rows = [
            (*row, *(_interval(scores[row[0]][summary.goal], row[1]) if row[0] in held else NONE))
            for row in rows
        ]
        rows.append((GUESSING, None, *map({summary.goal: chance}.get, measures), *NONE))
    best = f", best epoch {summary.best.epoch}" if summary.best else ""
    title = (
        f"{summary.network} on {summary.data['name']}: {summary.state} ({summary.reason}),"
        f" {summary.epochs} epochs{best}, {format_duration(summary.seconds)}"
    )
    return Table(title, columns, tuple(rows))


def seeds_table(summaries: Sequence[RunSummary]) -> Table:
    """Return a row for each seed with its scores, then their mean and spread.

    The spread is the sample standard deviation (divided by n - 1).
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


def runs_table(groups: Sequence[SeedGroup]) -> Table:
    """Return a row for each network: a run, or several that differ only in their seed.

    Scores are means over seeds, followed by `±` and the sample standard deviation (n - 1).
    """
    return table_of(
        groups,
        (Column("run", NAME), lambda group: group.name),
        (Column("network", NAME), lambda group: group.runs[0].network),
        (Column("data", NAME), lambda group: group.runs[0].data["name"]),
        (Column("state", NAME), lambda group: group.state),
        (Column("seeds", COUNT), lambda group: len(group.runs)),
        (Column("epochs", COUNT), lambda group: max(run.epochs for run in group.runs)),
        (Column("params", COUNT, rank=MINOR), lambda group: group.runs[0].params),
        (Column("macs", COUNT, rank=MINOR), lambda group: group.runs[0].macs),
        (Column("measure", NAME, rank=MAJOR), lambda group: group.runs[0].goal),
        *_spread("validation"),
        *_spread("test"),
        (
            Column("time", NAME),
            lambda group: format_duration(sum(run.seconds for run in group.runs)),
        ),
    )


def _spread(split: str) -> tuple[Field[SeedGroup], Field[SeedGroup]]:
    """Return the columns of a mean and its deviation over seeds."""

    def mean_of(group: SeedGroup) -> float | None:
        scores = group.scores(split)
        return scores.mean if scores else None

    def deviation_of(group: SeedGroup) -> float | None:
        scores = group.scores(split)
        return scores.deviation if scores else None

    return (
        (Column(split, SHARE, rank=MAJOR), mean_of),
        (Column("±", SHARE, f"{split}_deviation", rank=MINOR), deviation_of),
    )


def evaluation_tables(title: str, result: Evaluation) -> list[Table]:
    """Return the scores, the accuracy by class, and the most frequent mistakes."""
    columns = (Column("images", COUNT), *map(_measure, result.scores), *INTERVAL)
    row = (result.images, *result.scores.values())
    scores = Table(
        title,
        (*columns, Column(GUESSING, SHARE)),
        ((*row, *_interval(result.scores["top1"], result.images), result.chance),),
    )
    by_class = Table(
        "",
        (Column("class", NAME), Column("images", COUNT), Column("right", SHARE), *INTERVAL),
        tuple(
            (name, sum(row), *_right(row[place], sum(row)))
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


def seed_evaluations_table(title: str, evaluations: Sequence[Evaluation | PairEvaluation]) -> Table:
    """Return a row for the run of each seed with its scores, then their mean and spread."""
    names = list(evaluations[0].scores)
    columns = (Column("run", NAME), Column("images", COUNT), *map(_measure, names))
    rows = tuple(
        (result.run, result.images, *map(result.scores.get, names)) for result in evaluations
    )
    spreads = [spread([result.scores[name] for result in evaluations]) for name in names]
    return Table(
        f"{title}, {len(evaluations)} seeds",
        columns,
        rows,
        (
            ("mean", "", *(found and found.mean for found in spreads)),
            ("spread", "", *(found and found.deviation for found in spreads)),
        ),
    )


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
        "untrained, test": summary.task.get("untrained_test"),
        "test": summary.test,
    }
    return {split: values for split, values in scores.items() if values}


def _interval(accuracy: float, images: int) -> tuple[float | None, float | None]:
    """Return the 95 % confidence interval of an accuracy on so many images."""
    return wilson_interval(round(accuracy * images), images) if images else NONE


def _right(right: int, images: int) -> tuple[float | None, ...]:
    return (right / images, *_interval(right / images, images)) if images else (None, *NONE)


def _flat(summary: RunSummary) -> dict[str, Any]:
    return {
        f"{split} {name}": value
        for split, scores in _scores(summary).items()
        for name, value in scores.items()
        if split != "train" and not (split == "untrained" and "untrained_test" in summary.task)
    }


def _measure(name: str) -> Column:
    return Column(name, RATIO if name.endswith("loss") else SHARE)
