"""The result of a search, including the correlation of proxies and the importance of decisions."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Sequence

import optuna
from msgspec import Struct

from archscope.records.score_metric import TRAINED_SCORE, ScoreMetric
from archscope.records.study import Certificate, Finalist, Trial
from archscope.search.certificate import certificate
from archscope.search.conclusion import Conclusion
from archscope.search.finalists import front
from archscope.search.pilot import Pilot
from archscope.search.reliability import Reliability
from archscope.search.study_folder import StudyFolder
from archscope.space.budget import Budget
from archscope.space.counting import networks_text
from archscope.space.search_space import Space
from archscope.stats import rank_correlation

FEWEST_PROXIES = 4
"""Least number of trained networks for the rank correlation of proxies."""

FEWEST_IMPORTANCE = 8
"""Least number of trained networks for the importance of decisions."""


class SearchResult(Struct, frozen=True):
    """The result of a search; stored in summary.json."""

    folder: str
    space: str
    networks: str  # the number of networks of the space as text
    outcomes: dict[str, int]
    seconds: float
    finalists: tuple[Finalist, ...]
    winner: Finalist | None
    front: tuple[Trial, ...]
    correlations: dict[str, float]  # Spearman correlation of each proxy with the score
    importance: dict[str, float]  # of each decision for the score, most important first
    reason: str  # why the search ended
    verdict: str  # the conclusion: a winner, or networks that are tied
    tied: tuple[int, ...]  # the best trial and those not significantly worse
    reliability: Reliability
    pilot: Pilot
    certificate: Certificate | None = None  # the proved optimum of an additive model
    met: bool = True  # whether a network holds the latency budgets, as far as measured
    metric: ScoreMetric = TRAINED_SCORE


def result_of(
    folder: StudyFolder,
    space: Space,
    shown: Conclusion,
    ranked: Reliability,
    pilot: Pilot,
    seconds: float,
    reason: str,
    budgets: Sequence[Budget] = (),
) -> SearchResult:
    """Return the result of the study in a folder."""
    winner = shown.finalists[0] if shown.finalists and shown.met else None
    return SearchResult(
        folder=folder.path.as_posix(),
        space=space.name,
        networks=networks_text(space),
        outcomes=dict(Counter(trial.outcome for trial in folder.trials)),
        seconds=seconds,
        finalists=shown.finalists,
        winner=winner,
        front=tuple(front(folder.trials, metric=folder.metric)),
        correlations=correlations(folder.trials),
        importance=importance(folder.optuna_study),
        reason=reason,
        verdict=shown.verdict,
        tied=shown.tied,
        reliability=ranked,
        pilot=pilot,
        certificate=None
        if winner is None
        else certificate(space, folder.trials, budgets, winner.choices, folder.metric),
        met=shown.met,
        metric=folder.metric,
    )


def correlations(trials: Sequence[Trial]) -> dict[str, float]:
    """Return the Spearman correlation of each proxy with the score, over trained networks.

    Empty if there are too few networks.
    """
    known = [
        (trial.result.proxies, trial.accuracy) for trial in trials
        if trial.accuracy is not None and trial.result and trial.result.proxies
    ]  # fmt: skip
    if len(known) < FEWEST_PROXIES:
        return {}
    found = {}
    for name in known[0][0]:
        value = rank_correlation([proxies[name] for proxies, _ in known], [s for _, s in known])
        if value is not None:
            found[name] = value
    return found


def importance(study: optuna.Study) -> dict[str, float]:
    """Return how much each decision matters for the score, by PED-ANOVA.

    Watanabe et al. 2023, arXiv:2304.10255. Empty if there are too few trials, several objectives,
    or no differences.
    """
    scored = [trial for trial in study.get_trials(deepcopy=False) if trial.values]
    if len(scored) < FEWEST_IMPORTANCE or len(scored[0].values) > 1:
        return {}
    if len({trial.values[0] for trial in scored}) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = optuna.importance.get_param_importances(study)
        except (ValueError, RuntimeError):
            return {}
    return {name: float(share) for name, share in found.items()}
