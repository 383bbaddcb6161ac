"""The end of a study: the best networks trained longer, several times, and a winner exported."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from msgspec import structs

from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.records.study import Finalist, Job, Trial
from archscope.search.evaluation import Trainer
from archscope.search.executor import Crew
from archscope.stats import bootstrap_interval


def best(trials: Sequence[Trial], many: int) -> list[Trial]:
    """Return the best of the trained networks, the first best."""
    judged = [trial for trial in trials if trial.outcome == "trained" and trial.values]
    return sorted(judged, key=lambda trial: (-_score(trial), trial.number))[:many]


def front(trials: Sequence[Trial], cost: str = "macs") -> list[Trial]:
    """Return the trained networks that no other beats in both score and a cost, cheapest first."""
    judged = [trial for trial in trials if trial.result and trial.result.score is not None]
    kept: list[Trial] = []
    for trial in sorted(judged, key=lambda trial: (trial.costs[cost], -_score(trial))):
        if not kept or _score(trial) > _score(kept[-1]):
            kept.append(trial)
    return kept


def _empty(folder: Path) -> Path:
    """Return a run folder that is not there, after an earlier end of the study if need be."""
    if folder.exists():
        shutil.rmtree(folder)
    folder.parent.mkdir(parents=True, exist_ok=True)
    return folder


def _score(trial: Trial) -> float:
    score = trial.result.score if trial.result else None
    return -float("inf") if score is None else score


def finalists(
    chosen: Sequence[Trial],
    trainer: Trainer,
    graph_of: Callable[[dict[str, Any]], Graph],
    *,
    seeds: int,
    stretch: int,
    crew: Crew,
    folder: Path,
    progress: Callable[[int, int], None] = lambda done, of: None,
) -> list[Finalist]:
    """Train networks again, `stretch` times as long, with several seeds; the best mean is first.

    "Tied" says that the 95 % interval of a network reaches the mean of the first. With few seeds
    intervals are narrow by chance: they say what these runs showed, and no more.
    """
    if not chosen:
        return []
    epochs = max(1, trainer.recipe.get("epochs", 5) * stretch)
    longer = structs.replace(trainer, recipe={**trainer.recipe, "epochs": epochs}, proxies=False)
    verdicts: dict[tuple[int, int], float] = {}
    total = len(chosen) * seeds
    for seed in range(seeds):
        judge = crew(structs.replace(longer, seed=trainer.seed + 1 + seed))
        try:
            for place, trial in enumerate(chosen):
                graph = graph_of(trial.choices)
                keep = _empty(folder / f"trial{trial.number}-seed{seed + 1}")
                job = Job(place, to_yaml(graph), trial.digest, keep=keep.as_posix())
                judge.submit(job, graph)
            for _ in chosen:
                verdict = judge.collect()
                if verdict.score is not None:
                    verdicts[verdict.number, seed] = verdict.scores["top1"]
                progress(len(verdicts), total)
        finally:
            judge.close(at_once=True)
    rows = []
    for place, trial in enumerate(chosen):
        scores = tuple(verdicts[place, s] for s in range(seeds) if (place, s) in verdicts)
        runs = tuple(
            (folder / f"trial{trial.number}-seed{s + 1}").as_posix()
            for s in range(seeds)
            if (place, s) in verdicts
        )
        if scores:
            low, high = bootstrap_interval(scores)
            spread = stdev(scores) if len(scores) > 1 else None
            rows.append(
                Finalist(
                    trial.number,
                    trial.choices,
                    trial.costs,
                    _score(trial),
                    scores,
                    fmean(scores),
                    spread,
                    low,
                    high,
                    runs=runs,
                    best_run=max(zip(scores, runs, strict=True))[1],
                )
            )
    rows.sort(key=lambda row: (-row.mean, row.trial))
    return [structs.replace(row, tied=row.high >= rows[0].mean) for row in rows]
