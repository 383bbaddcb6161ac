"""The conclusion of a search in sentences, also of one that trained nothing to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from archscope.metrics import MACS
from archscope.records.score_metric import TRAINED_SCORE, ScoreMetric
from archscope.records.study import TRAINED, Outcome, Trial
from archscope.report.pages.study_charts import BASELINE, FEWEST, best_curves
from archscope.stats import dominated_area


def conclusion_of(
    trials: Sequence[Trial],
    counts: Counter[Outcome],
    summary: dict[str, Any],
    evaluator: str = "",
    metric: ScoreMetric = TRAINED_SCORE,
) -> str:
    """Return what a search found: its best network, and how its baseline did in comparison.

    `evaluator` is the user's function that gave the scores, if one did.
    """
    trained = [trial for trial in trials if trial.accuracy is not None]
    if not trained:
        return _failure(trials, counts)
    first = max(trained, key=lambda trial: (metric.gain(trial.accuracy or 0.0), -trial.number))
    many = sum(counts[outcome] for outcome in TRAINED) - counts["failed"]
    how = "evaluated" if evaluator else "predicted by a prior" if counts["predicted"] else "trained"
    done = f"{_were(many)} {how}"
    failed = f" and {counts['failed']:,} failed" if counts["failed"] else ""
    text = (
        f"Of {len(trials):,} proposed network{'s' * (len(trials) > 1)}, {done}{failed};"
        f" trial {first.number} has the"
        f" {'highest score' if metric.is_share else f'best {metric.name}'} of the search,"
        f" {metric.format(first.accuracy or 0.0)} ({first.drawn_by})."
    )
    best = {curve.name: curve.y[-1] or 0.0 for curve in best_curves(trials, metric)}
    if len(best) == 2:
        text += (
            f" The baseline, drawn uniformly from all feasible networks, reached"
            f" {metric.format(best['baseline'])}, the search {metric.format(best['search'])}"
            f"{_areas(trials, metric)}; each is a single run, so another may turn out differently."
        )
    return " ".join([*sentences_of(summary, "verdict"), text])


def _were(many: int) -> str:
    return f"{many:,} {'was' if many == 1 else 'were'}"


def _failure(trials: Sequence[Trial], counts: Counter[Outcome]) -> str:
    """Return that no training has ended, and the most frequent reason of those that failed."""
    text = "No network has been trained to its end."
    for many, words in (
        (counts["infeasible"], "outside a budget"),
        (counts["impossible"], "impossible"),
        (counts["pruned"], "stopped early"),
    ):
        if many:
            text += f" {_were(many)} {words}."
    failed = [trial for trial in trials if trial.outcome == "failed"]
    reasons = Counter(
        trial.result.reason for trial in failed if trial.result and trial.result.reason
    )
    if not reasons:
        return text
    ((reason, many),) = reasons.most_common(1)
    which = "All trainings" if many == len(trials) else f"{many} of {len(trials)} trainings"
    return f"{text} {which} failed: {reason}."


def _areas(trials: Sequence[Trial], metric: ScoreMetric) -> str:
    """Return the hypervolumes of the search and of its baseline as a phrase."""
    points = {
        baseline: [
            (trial.costs[MACS], metric.gain(trial.accuracy))
            for trial in trials
            if trial.accuracy is not None and (trial.origin in BASELINE) == baseline
        ]
        for baseline in (False, True)
    }
    every = points[False] + points[True]
    if len(points[True]) < FEWEST:
        return ""
    most, least = max(cost for cost, _ in every), min(score for _, score in every)
    whole = dominated_area(every, most, least)
    if not whole:
        return ""
    own, base = (dominated_area(points[key], most, least) / whole for key in (False, True))
    score = "score" if metric.is_share else metric.name
    return (
        f" (hypervolume of {score} against macs, as a share of that of both: search {own:.2f},"
        f" baseline {base:.2f})"
    )


def sentences_of(summary: dict[str, Any], *keys: str) -> list[str]:
    """Return sentences of a summary: its verdict, and how far that can be trusted."""
    sentences = []
    for key in keys:
        value = summary.get(key)
        text = value.get("sentence") if isinstance(value, dict) else value
        if isinstance(text, str) and text:
            named = text if key == "verdict" else f"{key}: {text}"
            sentences.append(f"{named[:1].upper()}{named[1:]}.")
    return sentences
