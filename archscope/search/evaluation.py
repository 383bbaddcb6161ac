"""Training a candidate briefly, in whatever process: a job in, a verdict out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct

from archscope import __version__
from archscope.analysis.canonical import canonical
from archscope.errors import ArchscopeError
from archscope.files import Cache
from archscope.ir import Graph
from archscope.records.study import Job, TrialResult

CACHE = Cache("trainings", TrialResult)


class Trainer(Struct, frozen=True, kw_only=True):
    """How candidates are trained: plain data, the same for all of a study."""

    data: str
    folder: str | None = None
    recipe: dict[str, Any] = {}
    seed: int = 0
    device: str = "cpu"
    threads: int = 1  # of one training; the same for any number of workers, or results differ
    adapt: dict[str, Any] = {}
    proxies: bool = True
    cache: bool = True


Work = Callable[[Trainer, Job], TrialResult]
"""What a process does with a job; `judge`, but for tests."""


def judge(trainer: Trainer, job: Job) -> TrialResult:
    """Return what a candidate comes to; a network that cannot be trained has failed.

    An equal training that some study has done to its end is not done again.
    """
    import torch

    began = time.perf_counter()
    torch.set_num_threads(trainer.threads)
    try:
        graph = graph_of(job)
        data = _data(trainer)
        key = cache_key(graph, data.digest, trainer)
        known = CACHE.get(key) if trainer.cache and job.keep is None else None
        if known is not None:
            return _again(known, job)
        verdict = _train(trainer, job, graph, data)
    except ArchscopeError as error:
        return TrialResult(
            job.number, "failed", reason=str(error), seconds=time.perf_counter() - began
        )
    if trainer.cache and verdict.outcome == "trained":
        CACHE.put(key, verdict)
    return verdict


def cache_key(graph: Graph, data: str, trainer: Trainer) -> tuple[Any, ...]:
    """Return what the result of a training depends on; `data` is the digest of the images."""
    import torch

    return (
        canonical(graph), data, sorted(trainer.recipe.items()), trainer.seed, trainer.device,
        trainer.threads, sorted(trainer.adapt.items()), trainer.proxies, __version__,
        str(torch.__version__),
    )  # fmt: skip


def _again(known: TrialResult, job: Job) -> TrialResult:
    """Return a remembered verdict as the one of this job, stopped where the job would be."""
    from msgspec import structs

    outcome, curve, reason = known.outcome, known.curve, known.reason
    for epoch, least in job.rungs:
        if len(curve) > epoch and curve[epoch - 1] < least:
            outcome, curve = "pruned", curve[:epoch]
            reason = f"{curve[-1]:.4f} after epoch {epoch}, below {least:.4f}"
            break
    score = max(curve) if curve else None
    return structs.replace(
        known, number=job.number, outcome=outcome, curve=curve, score=score, reason=reason,
        cached=True, worker=os.getpid(),
    )  # fmt: skip


def _train(trainer: Trainer, job: Job, graph: Graph, data: Any) -> TrialResult:
    from archscope.search.proxies import proxy_scores
    from archscope.train import Recipe, train
    from archscope.train.recipe_files import change

    recipe = change(Recipe(), trainer.recipe)
    began = time.perf_counter()
    promised = proxy_scores(graph, data, trainer.seed, trainer.adapt) if trainer.proxies else {}
    curve: list[float] = []
    reason = ""
    rungs = dict(job.rungs)
    judged = max(1, round(len(data.train) * recipe.validation))

    def report(epoch: int, scores: dict[str, float]) -> bool:
        nonlocal reason
        curve.append(score_of(scores, judged))
        least = rungs.get(epoch)
        if least is None or curve[-1] >= least:
            return False
        reason = f"{curve[-1]:.4f} after epoch {epoch}, below {least:.4f}"
        return True

    result = train(
        graph, data, recipe, seed=trainer.seed, device=trainer.device, adapt=trainer.adapt,
        report=report, run_dir=job.keep, data={"name": trainer.data, "folder": trainer.folder},
    )  # fmt: skip
    summary = result.summary
    best = summary.best.validation if summary.best else None
    seconds = time.perf_counter() - began
    if summary.state == "diverged" or best is None or not curve:
        return TrialResult(
            job.number, "failed", curve=tuple(curve), proxies=promised, seconds=seconds,
            reason=f"diverged: {summary.reason}", worker=os.getpid(),
        )  # fmt: skip
    return TrialResult(
        job.number,
        "pruned" if reason else "trained",
        max(curve),
        dict(best),
        tuple(curve),
        promised,
        seconds,
        reason,
        worker=os.getpid(),
    )


def score_of(scores: dict[str, float], images: int) -> float:
    """Return the accuracy, and where few images make accuracies equal, less loss as more of it.

    The loss moves the score by less than one image does.
    """
    return scores["top1"] + 0.999 / images / (1 + max(scores["loss"], 0.0))


def graph_of(job: Job) -> Graph:
    """Return the network of a job."""
    from archscope.language import document, graph

    return graph(document(f"trial{job.number}.yaml", text=job.spec.encode()))


def _data(trainer: Trainer) -> Any:
    return _loaded(trainer.data, trainer.folder)


@lru_cache(maxsize=2)
def _loaded(name: str, folder: str | None) -> Any:
    from archscope.datasets import load

    return load(name, None if folder is None else Path(folder))
