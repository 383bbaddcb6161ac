"""Estimate how far the winner of a study is from the best of its space, by an additive model.

The model is a Bayesian ridge regression of the scores on the decisions. As it is a sum over
decisions, its best network within the budgets is found with a proof (`space.optimum`). The gap is
what a search could still gain if scores were such a sum; it is no bound on real scores.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from msgspec import structs
from sklearn.linear_model import BayesianRidge
from sklearn.model_selection import cross_val_predict

from archscope.records.score_metric import TRAINED_SCORE, ScoreMetric
from archscope.records.study import Certificate, Trial
from archscope.space.budget import Budget
from archscope.space.chain import TooWideError
from archscope.space.factor_model import Factor, FactorModel, Values
from archscope.space.optimum import optimum
from archscope.space.rows import Encoding, Rows
from archscope.space.search_space import Space
from archscope.space.segments import NotAChainError
from archscope.stats import rank_correlation

FEWEST, FOLDS = 10, 10
"""The least number of trainings to fit a model to, and the folds of the cross-validation."""

RANKS = 0.3
"""The cross-validated rank correlation below which a model says nothing about other networks."""


def certificate(
    space: Space,
    trials: Sequence[Trial],
    budgets: Sequence[Budget],
    winner: dict[str, Any],
    metric: ScoreMetric = TRAINED_SCORE,
) -> Certificate | None:
    """Return the proved optimum of an additive model of a study, and the model's winner value.

    None if too few networks are trained, or the networks of the space are not chains of layers
    whose costs add up.
    """
    scored = [trial for trial in trials if trial.outcome == "trained" and trial.score is not None]
    if len(scored) < FEWEST or any(decision.size is None for decision in space.decisions):
        return None
    encoding = Encoding(space)
    rows = encoding.rows([space.masked(trial.choices) for trial in scored])
    gains = np.array([metric.gain(trial.score) for trial in scored if trial.score is not None])
    # The regression takes its priors for scores that vary neither by millions nor by millionths.
    unit = 1.0 if metric.is_share else float(gains.std()) or 1.0
    scores = gains / unit
    points = _points(encoding, rows)
    model = _factors(encoding, BayesianRidge().fit(points, scores))

    def score(value: float) -> float:
        return metric.gain(unit * value)

    try:
        best = optimum(space, model, budgets)
    except (NotAChainError, TooWideError):
        return None
    if not len(best.rows):
        return None
    left_out = cross_val_predict(BayesianRidge(), points, scores, cv=min(FOLDS, len(scores)))
    expected = float(model.values(encoding.rows([space.masked(winner)]))[0])
    found = Certificate(
        trainings=len(scored),
        rank_correlation=rank_correlation(list(left_out), list(scores)),
        optimum=score(float(best.values[0])),
        bound=score(float(max(best.bound, best.values[0]))),
        proved=best.proved,
        winner=score(expected),
        choices=encoding.choices(best.rows[0]),
        relaxed=tuple(limit.text for limit in best.relaxed),
        metric=metric,
    )
    return structs.replace(found, sentence=_sentence(found))


def _sentence(found: Certificate) -> str:
    correlation = found.rank_correlation
    fit = "unknown" if correlation is None else f"{correlation:.2f}"
    if correlation is None or correlation < RANKS:
        return (
            f"none, as an additive model of {found.trainings} trainings does not rank those that"
            f" are left out of it (rank correlation {fit})"
        )
    metric = found.metric
    proof = "proved" if found.proved else f"and no network {metric.format(found.bound)}, proved"
    left = f", not heeding {' and '.join(found.relaxed)}" if found.relaxed else ""
    return (
        f"by an additive model of {found.trainings} trainings (rank correlation with those left"
        f" out {fit}) the best network within the budget has {metric.labelled(found.optimum)}"
        f" ({proof}{left}) and the winner {metric.format(found.winner)}, a gap of"
        f" {metric.format_difference(found.gap)}"
    )


def _points(encoding: Encoding, rows: Rows) -> Values:
    """Return 0 or 1 for every alternative of every decision, (rows, alternatives)."""
    parts = [np.eye(size)[rows[:, column]] for column, size in enumerate(encoding.sizes)]
    return np.concatenate(parts, 1)


def _factors(encoding: Encoding, model: BayesianRidge) -> FactorModel:
    """Return a model of `_points` as a sum over decisions."""
    parts = np.split(model.coef_, np.cumsum(encoding.sizes)[:-1])
    factors = tuple(Factor((column,), values) for column, values in enumerate(parts))
    return FactorModel(float(model.intercept_), factors)
