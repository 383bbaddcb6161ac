"""Assess how far the ranking of a study can be trusted, by training some candidates again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from math import sqrt
from statistics import stdev
from typing import Any

from msgspec import Struct, structs

from archscope.ir import Graph, text_of
from archscope.metrics import MACS
from archscope.records.study import DEMONSTRATIONS, Finalist, Trial
from archscope.search.evaluation import Trainer
from archscope.search.executor import TrainingExecutor, train_all
from archscope.stats import beyond_chance, rank_correlation, residual_variation

REPEATED = 4
"""Number of networks to train again."""

FEWEST = 3
"""Least number of networks for a rank correlation."""

FAR = 2.0
"""Factor between image sizes from which they differ much."""

LEVEL = 0.95
"""Level of the statements about differences between networks."""

COSTS = ("params", MACS)


class Repeat(Struct, frozen=True):
    """A candidate trained several times in the same way, with different seeds."""

    trial: int
    scores: tuple[float, ...]  # the first is that of the search, except for final trainings


class Reliability(Struct, frozen=True):
    """How well the scores of a study rank its networks."""

    repeats: tuple[Repeat, ...]
    agreement: float | None  # Spearman correlation between the two seeds
    noise: float | None  # standard deviation of a score between seeds
    spread: float | None  # standard deviation of the scores of all networks
    consistency: float | None  # expected correlation of these scores with those of other seeds
    close: int | None  # the best network and those not significantly worse
    correlations: dict[str, float]  # Spearman correlations of the score with costs and the prior
    sentence: str


def repeated(trials: Sequence[Trial], many: int = REPEATED) -> list[Trial]:
    """Return the candidates to train again: the anchors, then some across all scores."""
    trained = [trial for trial in trials if trial.accuracy is not None]
    chosen = [trial for trial in trained if trial.origin.startswith("anchor")][:many]
    others = sorted(
        (trial for trial in trained if trial not in chosen),
        key=lambda trial: (-(trial.accuracy or 0.0), trial.number),
    )
    missing = min(many - len(chosen), len(others))
    if missing > 0:
        places = [
            round(place * (len(others) - 1) / max(missing - 1, 1)) for place in range(missing)
        ]
        chosen += [others[place] for place in places]
    return chosen


def repeat(
    chosen: Sequence[Trial],
    trainer: Trainer,
    graph_of: Callable[[dict[str, Any]], Graph],
    executor: TrainingExecutor,
) -> tuple[Repeat, ...]:
    """Train candidates again with another seed; candidates not ready in time are left out."""
    other = structs.replace(trainer, seed=trainer.seed + 1, proxies=False)
    results = train_all(executor, [(other, graph_of(trial.choices), None) for trial in chosen])
    return tuple(
        Repeat(trial.number, (trial.accuracy, result.score))
        for trial, result in zip(chosen, results, strict=True)
        if result is not None and result.score is not None and trial.accuracy is not None
        and result.outcome == "trained"
    )  # fmt: skip


def seeds_of(last: Sequence[Finalist]) -> tuple[Repeat, ...]:
    """Return the final trainings as repeats, for a study that had no time for others."""
    most = max((len(row.scores) for row in last), default=0)
    return tuple(Repeat(row.trial, row.scores) for row in last if len(row.scores) == most > 1)


def reliability(
    trials: Sequence[Trial],
    repeats: Sequence[Repeat],
    notes: Sequence[str],
) -> Reliability:
    """Assess how well the scores of a study rank its networks; `notes` end the sentence."""
    trained = [trial for trial in trials if trial.accuracy is not None]
    scores = [trial.accuracy or 0.0 for trial in trained]
    pairs = [row.scores for row in repeats]
    squares, degrees = residual_variation(pairs)
    noise = sqrt(squares / degrees) if degrees else None
    spread = stdev(scores) if len(scores) > 1 else None
    consistency = None
    guessing = _are_guesses(trained)
    if noise is not None and spread and not guessing:
        consistency = max(0.0, 1 - noise**2 / spread**2)
    agreement = None
    if len(pairs) >= FEWEST:
        agreement = rank_correlation([pair[0] for pair in pairs], [pair[1] for pair in pairs])
    correlations = _correlations(trained, scores) if len(trained) >= FEWEST else {}
    close = None
    if noise is not None and scores and not guessing:
        least = least_difference(squares, degrees, len(scores)) * sqrt(2)
        close = sum(max(scores) - score <= least for score in scores)
    found = Reliability(
        tuple(repeats), agreement, noise, spread, consistency, close, correlations, sentence=""
    )
    if guessing:
        notes = ["most scores are no better than guessing, so they rank nothing", *notes]
    return structs.replace(found, sentence=_sentence(found, len(trained), notes))


def _are_guesses(trained: Sequence[Trial]) -> bool:
    """Return whether the median score is no better than guessing."""
    results = [trial.result for trial in trained if trial.result and trial.result.validated]
    if not results:
        return False
    middle = sorted(results, key=lambda result: result.score or 0.0)[len(results) // 2]
    return not beyond_chance(middle.score or 0.0, middle.validated, middle.chance)


def least_difference(squares: float, degrees: int, networks: int = 2) -> float:
    """Return the least significant difference of two means, over its standard error.

    `squares` is the residual sum of squares of the values, with `degrees` degrees of freedom. Of
    that many networks of equal accuracy, any two differ by more in one of 20 cases: Tukey's range
    test (1949), which is Student's t test for two.
    """
    return _quantile(networks, degrees) * sqrt(squares / degrees)


@cache
def _quantile(networks: int, degrees: int) -> float:
    from scipy.stats import studentized_range, t  # slow to import

    if networks <= 2:
        return float(t.ppf((1 + LEVEL) / 2, degrees))
    return float(studentized_range.ppf(LEVEL, networks, degrees)) / sqrt(2)


def _correlations(trained: Sequence[Trial], scores: Sequence[float]) -> dict[str, float]:
    found = {
        name: rank_correlation([trial.costs[name] for trial in trained], scores)
        for name in COSTS
        if all(name in trial.costs for trial in trained)
    }
    pairs = zip(trained, scores, strict=True)
    told = [(trial.predicted, score) for trial, score in pairs if trial.predicted is not None]
    if len(told) >= FEWEST:
        found["prior"] = rank_correlation([p for p, _ in told], [score for _, score in told])
    return {name: value for name, value in found.items() if value is not None}


def _sentence(found: Reliability, networks: int, notes: Sequence[str]) -> str:
    parts = []
    if found.agreement is not None:
        parts.append(
            f"two seeds rank {len(found.repeats)} networks with a correlation of"
            f" {found.agreement:.2f} (Spearman)"
        )
    if found.noise is not None and found.spread is not None:
        parts.append(
            f"a score varies by {100 * found.noise:.1f} points between seeds and by"
            f" {100 * found.spread:.1f} between the {networks} networks"
        )
    if found.consistency is not None:
        parts.append(f"scores of another seed would correlate by about {found.consistency:.2f}")
    if found.close is not None:
        parts.append(
            f"{found.close} of {networks} are not significantly worse than the best (95 %)"
        )
    if not parts:
        parts.append("how much the ranking depends on the seed was not measured")
    if found.correlations:
        against = ", ".join(f"{name} {value:.2f}" for name, value in found.correlations.items())
        parts.append(f"rank correlation of the score with {against}")
    return "; ".join([*parts, *notes])


def notes(
    data: str, deployed: Sequence[int], trained: Sequence[int], images: Sequence[int]
) -> list[str]:
    """Return the limitations of the scores as sentences.

    `deployed` is the input shape (C, H, W) of the costs, `trained` that in training, and `images`
    that of the images before resizing.
    """
    found = []
    if max(deployed[1:]) >= FAR * min(max(trained[1:]), max(images[1:])):
        sizes = [text_of(tuple(shape[1:])) for shape in (deployed, images, trained)]
        found.append(
            "costs are those at {}, scores those of {} images trained at {}: a brief training"
            " judges a network on the images and size it was given, and nothing else".format(*sizes)
        )
    if data.partition(":")[0] in DEMONSTRATIONS:
        found.append(f"{data} is a demonstration: it does not tell good networks apart")
    return found
