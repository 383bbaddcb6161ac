"""The end of a study: train the best networks again, longer and with several seeds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from msgspec import structs

from archscope.files import make_folder
from archscope.ir import Graph
from archscope.metrics import MACS
from archscope.records.score_metric import TRAINED_SCORE, ScoreMetric
from archscope.records.study import BASELINE, Finalist, Trial
from archscope.search.evaluation import Trainer
from archscope.search.executor import TrainingExecutor, train_all
from archscope.search.time_plan import Clock, FinalPlan

EPOCHS = 5
"""For a recipe that does not state them."""

HURRY = 0.8
"""Share of the time of a training for its steps; the rest is for evaluation."""


def best(trials: Sequence[Trial], many: int, metric: ScoreMetric = TRAINED_SCORE) -> list[Trial]:
    """Return the fully trained networks with the best scores."""
    trained = [
        trial for trial in trials if trial.outcome in ("trained", "predicted") and trial.values
    ]

    def rank(trial: Trial) -> tuple[float, float, int]:
        return -metric.gain(_score(trial, metric)), _loss(trial), trial.number

    return sorted(trained, key=rank)[:many]


def front(
    trials: Sequence[Trial], cost: str = MACS, metric: ScoreMetric = TRAINED_SCORE
) -> list[Trial]:
    """Return the Pareto front of score against a cost over trained networks, cheapest first."""
    trained = [trial for trial in trials if trial.accuracy is not None]
    kept: list[Trial] = []

    def gain(trial: Trial) -> float:
        return metric.gain(_score(trial, metric))

    for trial in sorted(trained, key=lambda trial: (trial.costs[cost], -gain(trial))):
        if not kept or gain(trial) > gain(kept[-1]):
            kept.append(trial)
    return kept


def with_reference(chosen: list[Trial], trials: Sequence[Trial]) -> list[Trial]:
    """Add a reference to the chosen networks, if the search proposed all of them.

    It is the best anchor or network of the baseline, which a search should beat.
    """
    plain = [trial for trial in trials if not is_searched(trial)]
    if not chosen or not all(is_searched(trial) for trial in chosen):
        return chosen
    return [*chosen, *best(plain, 1)]


def is_searched(trial: Trial) -> bool:
    """Return whether the search proposed a network: it is no anchor and not of the baseline."""
    return not trial.origin.startswith("anchor") and trial.origin != BASELINE


def finalists(
    chosen: Sequence[Trial],
    trainer: Trainer,
    graph_of: Callable[[dict[str, Any]], Graph],
    executor: TrainingExecutor,
    plan: FinalPlan,
    *,
    folder: Path,
    clock: Clock,
    on_final: Callable[[int, int], None] = lambda done, total: None,
) -> list[Finalist]:
    """Train networks longer and with several seeds, and return them by descending mean.

    The runs are stored in `folder`. The `max_time` of the recipe is set such that all trainings end
    before the clock does. Networks that are not ready in time are left out.
    """
    recipe = {**trainer.recipe, "epochs": plan.stretch * trainer.recipe.get("epochs", EPOCHS)}
    total = len(chosen) * plan.seeds
    if clock.limit is not None:
        rounds = ceil(total / executor.workers)
        recipe["max_time"] = max(1.0, HURRY * clock.left / rounds)
    longer = structs.replace(trainer, recipe=recipe, proxies=False)
    runs = {
        (trial.number, seed): _run_folder(folder, trial, seed)
        for seed in range(1, plan.seeds + 1)
        for trial in chosen
    }
    by_number = {trial.number: trial for trial in chosen}
    trainings = []
    for (number, seed), run in runs.items():
        if run.exists():  # of a study that ended before
            shutil.rmtree(run)
        make_folder(run.parent)
        graph = graph_of(by_number[number].choices)
        trainings.append((structs.replace(longer, seed=trainer.seed + seed), graph, run.as_posix()))
    executor.deadline = clock.deadline()
    results = train_all(executor, trainings, lambda done: on_final(done, total))
    accuracies: dict[int, dict[str, float]] = {}
    for ((number, _), run), result in zip(runs.items(), results, strict=True):
        if result is not None and result.score is not None:
            accuracies.setdefault(number, {})[run.as_posix()] = result.score
        elif result is None:
            shutil.rmtree(run, ignore_errors=True)  # was stopped
    found = [finalist(by_number[number], own) for number, own in accuracies.items()]
    return sorted(found, key=lambda row: (-row.mean, row.trial))


def searched_only(trial: Trial) -> Finalist:
    """Return the record of a network that was not trained again for lack of time."""
    score = _score(trial)
    return structs.replace(finalist(trial, {"": score}), runs=(), best_run="")


def _run_folder(folder: Path, trial: Trial, seed: int) -> Path:
    return folder / f"trial{trial.number}-seed{seed}"


def finalist(trial: Trial, accuracies: Mapping[str, float]) -> Finalist:
    """Return the record of a network with the accuracies of its runs, without an interval."""
    scores = tuple(accuracies.values())
    return Finalist(
        trial.number,
        trial.choices,
        trial.costs,
        _score(trial),
        scores,
        fmean(scores),
        stdev(scores) if len(scores) > 1 else None,
        low=None,
        high=None,
        runs=tuple(accuracies),
        best_run=max(accuracies, key=lambda run: (accuracies[run], run)),
    )


def _score(trial: Trial, metric: ScoreMetric = TRAINED_SCORE) -> float:
    """Return the score of a network, the worst possible if it has none."""
    return metric.gain(-float("inf")) if trial.score is None else trial.score


def _loss(trial: Trial) -> float:
    """Return the validation loss that decides between equal scores."""
    return trial.result.scores.get("loss", 0.0) if trial.result else 0.0
