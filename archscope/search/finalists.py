"""The end of a study: the best networks trained again, longer and with several seeds."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from msgspec import structs

from archscope.files import make_folder
from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.metrics import MACS
from archscope.records.study import Finalist, Job, Trial
from archscope.search.evaluation import Trainer
from archscope.search.executor import Executor, ExecutorFactory
from archscope.stats import bootstrap_interval

EPOCHS = 5
"""Of a recipe that does not say."""


def best(trials: Sequence[Trial], many: int) -> list[Trial]:
    """Return the networks with the best scores, of those trained to the end."""
    trained = [
        trial for trial in trials if trial.outcome in ("trained", "predicted") and trial.values
    ]
    return sorted(trained, key=lambda trial: (-_score(trial), _loss(trial), trial.number))[:many]


def front(trials: Sequence[Trial], cost: str = MACS) -> list[Trial]:
    """Return the Pareto front of score against a cost over trained networks, cheapest first."""
    trained = [trial for trial in trials if trial.accuracy is not None]
    kept: list[Trial] = []
    for trial in sorted(trained, key=lambda trial: (trial.costs[cost], -_score(trial))):
        if not kept or _score(trial) > _score(kept[-1]):
            kept.append(trial)
    return kept


def finalists(
    chosen: Sequence[Trial],
    trainer: Trainer,
    graph_of: Callable[[dict[str, Any]], Graph],
    *,
    seeds: int,
    stretch: int,
    executor: ExecutorFactory,
    folder: Path,
    on_final: Callable[[int, int], None] = lambda done, total: None,
) -> list[Finalist]:
    """Train networks `stretch` times as long with several seeds, and return the best mean first.

    The runs are kept in `folder`. A network is tied with the first if its 95 % interval reaches
    the mean of that. With few seeds intervals are narrow by chance: they describe these runs only.
    """
    epochs = max(1, trainer.recipe.get("epochs", EPOCHS) * stretch)
    longer = structs.replace(trainer, recipe={**trainer.recipe, "epochs": epochs}, proxies=False)
    accuracies: dict[Path, float] = {}
    for seed in range(1, seeds + 1) if chosen else ():
        trained = executor(structs.replace(longer, seed=trainer.seed + seed))
        try:
            runs = [_run_folder(folder, trial, seed) for trial in chosen]
            for place, (trial, run) in enumerate(zip(chosen, runs, strict=True)):
                _submit(trained, place, trial, graph_of(trial.choices), run)
            for _ in chosen:
                result = trained.collect()
                if result.score is not None:
                    accuracies[runs[result.number]] = result.score
                on_final(len(accuracies), len(chosen) * seeds)
        finally:
            trained.close(at_once=True)
    found = []
    for trial in chosen:
        runs = [_run_folder(folder, trial, seed) for seed in range(1, seeds + 1)]
        own = {run.as_posix(): accuracies[run] for run in runs if run in accuracies}
        if own:
            found.append(_finalist(trial, own))
    found.sort(key=lambda finalist: (-finalist.mean, finalist.trial))
    return [structs.replace(row, tied=row.high >= found[0].mean) for row in found]


def _submit(executor: Executor, place: int, trial: Trial, graph: Graph, run: Path) -> None:
    """Queue a training into an empty run folder; the study may have ended before."""
    if run.exists():
        shutil.rmtree(run)
    make_folder(run.parent)
    executor.submit(Job(place, to_yaml(graph), trial.digest, keep=run.as_posix()), graph)


def _run_folder(folder: Path, trial: Trial, seed: int) -> Path:
    return folder / f"trial{trial.number}-seed{seed}"


def _finalist(trial: Trial, accuracies: Mapping[str, float]) -> Finalist:
    """Return the record of a network from the accuracies of its runs."""
    scores = tuple(accuracies.values())
    low, high = bootstrap_interval(scores)
    return Finalist(
        trial.number,
        trial.choices,
        trial.costs,
        _score(trial),
        scores,
        fmean(scores),
        stdev(scores) if len(scores) > 1 else None,
        low,
        high,
        runs=tuple(accuracies),
        best_run=max(accuracies, key=lambda run: (accuracies[run], run)),
    )


def _score(trial: Trial) -> float:
    return -float("inf") if trial.score is None else trial.score


def _loss(trial: Trial) -> float:
    """Return the validation loss that decides between equal scores."""
    return trial.result.scores.get("loss", 0.0) if trial.result else 0.0
