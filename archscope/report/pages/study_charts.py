"""What the charts of a study show, computed from its trials."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate
from math import ceil, isfinite

from archscope.metrics import METRICS, metric_of
from archscope.records.score_metric import MAXIMIZE, TRAINED_SCORE, ScoreMetric
from archscope.records.study import Trial
from archscope.report.pages.content import Agreement, Curve, TrainingJob
from archscope.stats import holm, kruskal_wallis, rank_correlation
from archscope.units import PLAIN

BASELINE = ("control", "uniform")
INDEPENDENT = (*BASELINE, "random")
"""Origins of trials drawn uniformly from all feasible networks."""

FEWEST = 5  # the least values for a correlation or a band


def best_curves(trials: Sequence[Trial], metric: ScoreMetric = TRAINED_SCORE) -> tuple[Curve, ...]:
    """Return the best score so far of the search and of its baseline, by trained networks."""
    curves = []

    def better(best: float | None, score: float | None) -> float | None:
        return metric.best(value for value in (best, score) if value is not None)

    for name in ("search", "baseline"):
        scores = [
            trial.accuracy
            for trial in trials
            if trial.trained and (trial.origin in BASELINE) == (name == "baseline")
        ]
        values = tuple(accumulate(scores, better))
        if values and values[-1] is not None:
            steps = tuple(map(float, range(1, len(values) + 1)))
            curves.append(Curve(name, steps, values))
    return tuple(curves)


def random_band(trials: Sequence[Trial], metric: ScoreMetric = TRAINED_SCORE) -> tuple[Curve, ...]:
    """Return the 95 % band of the best of n networks drawn uniformly, for each n.

    The networks of the baseline represent all feasible ones: of m equally likely networks, the best
    of n draws is no better than the k-th with probability (k / m) ** n. Trainings that were stopped
    early rank below all others, without a value.
    """
    trained = [trial for trial in trials if trial.trained]
    baseline = [trial.accuracy for trial in trained if trial.origin in BASELINE]
    if len(baseline) < FEWEST:
        return ()
    known = sorted((score for score in baseline if score is not None), key=metric.gain)
    drawn = [*[None] * (len(baseline) - len(known)), *known]
    most = max(len(baseline), len(trained) - len(baseline))
    steps = tuple(map(float, range(1, most + 1)))

    def level(chance: float) -> tuple[float | None, ...]:
        return tuple(
            drawn[min(ceil(len(drawn) * chance ** (1 / step) - 1e-9), len(drawn)) - 1]
            for step in steps
        )

    worst, best = level(0.025), level(0.975)
    low, high = (worst, best) if metric.direction == MAXIMIZE else (best, worst)
    return Curve("low", steps, low), Curve("high", steps, high)


def training_jobs(trials: Sequence[Trial]) -> tuple[TrainingJob, ...]:
    """Return the trainings, with workers numbered in the order in which they began."""
    jobs = [
        (trial, trial.result)
        for trial in trials
        if trial.result and trial.trained and trial.outcome != "predicted"
    ]
    began = sorted((result.started, result.worker) for _, result in jobs)
    workers = list(dict.fromkeys(worker for _, worker in began))
    return tuple(
        TrainingJob(
            trial.number, workers.index(result.worker), result.started, result.seconds,
            trial.outcome,
        )
        for trial, result in jobs
    )  # fmt: skip


def varied_decisions(trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return the decisions that differ between trained networks."""
    values: dict[str, set[str]] = {}
    for trial in trials:
        if trial.trained:
            for key, value in trial.choices.items():
                values.setdefault(key, set()).add(str(value))
    return tuple(key for key, seen in values.items() if len(seen) > 1)


def p_values(trials: Sequence[Trial], decisions: Sequence[str]) -> dict[str, float]:
    """Return the chance that a decision would split the scores so clearly without mattering.

    Only networks that were drawn independently are tested. A sampler repeats what did well, so that
    in its trials also decisions without effect go together with high scores. Where a decision is
    inactive, its scores are left out.
    """
    found: dict[str, float] = {}
    drawn = [
        trial for trial in trials if trial.accuracy is not None and trial.origin in INDEPENDENT
    ]
    if len(drawn) < FEWEST:
        return found
    for decision in decisions:
        groups: dict[str, list[float]] = {}
        for trial in drawn:
            if trial.accuracy is not None and decision in trial.choices:
                groups.setdefault(str(trial.choices[decision]), []).append(trial.accuracy)
        chance = kruskal_wallis([*groups.values()])
        if chance is not None:
            found[decision] = chance
    return holm(found)


def cost_keys(trials: Sequence[Trial]) -> tuple[str, ...]:
    """Return the costs that any trial states, in the order in which they first occur."""
    return tuple(dict.fromkeys(key for trial in trials for key in trial.costs))


def cost_kind(cost: str) -> str:
    """Return the format of a cost; a plain number if its metric is a plug-in's that is gone."""
    return metric_of(cost).unit.kind if cost.partition("@")[0] in METRICS else PLAIN.kind


def proxy_correlations(trials: Sequence[Trial]) -> tuple[tuple[str, float], ...]:
    """Return Spearman's rank correlation of each proxy with the accuracy."""
    pairs: dict[str, list[tuple[float, float]]] = {}
    for trial in trials:
        if trial.accuracy is not None and trial.result is not None:
            for key, value in trial.result.proxies.items():
                if isfinite(value):
                    pairs.setdefault(key, []).append((value, trial.accuracy))
    found = (
        (key, rank_correlation(*zip(*points, strict=True)))
        for key, points in pairs.items()
        if len(points) >= FEWEST
    )
    return tuple((key, agreement) for key, agreement in found if agreement is not None)


def prior_agreement(trials: Sequence[Trial]) -> tuple[Agreement, ...]:
    """Return the prior's predictions for networks with the results of their trainings."""
    return tuple(
        Agreement(trial.number, trial.predicted / 100, trial.accuracy)
        for trial in trials
        if trial.outcome == "trained" and trial.predicted is not None and trial.accuracy is not None
    )
