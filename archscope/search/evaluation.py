"""Training a candidate briefly, in whatever process: a job in, a result out."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from archscope import __version__
from archscope.analysis.canonical import canonical
from archscope.errors import ArchscopeError
from archscope.files import Cache
from archscope.ir import Graph
from archscope.records.study import Job, TrialResult
from archscope.search.pruning import pruned

CACHE = Cache("trainings", TrialResult)


class Trainer(Struct, frozen=True, kw_only=True):
    """How candidates are trained: plain data, the same for all trials of a study."""

    data: str
    folder: str | None = None
    recipe: dict[str, Any] = {}
    seed: int = 0
    device: str = "cpu"
    threads: int = 1  # of each training; results depend on it
    adapt: dict[str, Any] = {}
    proxies: bool = True
    cache: bool = True


Evaluate = Callable[[Trainer, Job], TrialResult]
"""What a process does with a job: `evaluate`, except in tests."""


def evaluate(trainer: Trainer, job: Job) -> TrialResult:
    """Train a candidate and return its result; a network that cannot be trained has failed.

    A training that some study has finished is taken from the cache, unless its run is kept.
    """
    import torch

    began = time.perf_counter()
    torch.set_num_threads(trainer.threads)
    try:
        graph = graph_of(job)
        data = _data(trainer.data, trainer.folder)
        key = cache_key(graph, data.digest, trainer)
        cached = CACHE.get(key) if trainer.cache and job.keep is None else None
        if cached is not None:
            return _from_cache(cached, job)
        result = _train(trainer, job, graph, data)
    except ArchscopeError as error:
        took = time.perf_counter() - began
        return TrialResult(job.number, "failed", reason=str(error), seconds=took)
    if trainer.cache and result.outcome == "trained":
        CACHE.put(key, result)
    return result


def cache_key(graph: Graph, data: str, trainer: Trainer) -> tuple[Any, ...]:
    """Return what the result of a training depends on; `data` is the digest of the images."""
    import torch

    return (
        canonical(graph), data, sorted(trainer.recipe.items()), trainer.seed, trainer.device,
        trainer.threads, sorted(trainer.adapt.items()), trainer.proxies, __version__,
        str(torch.__version__),
    )  # fmt: skip


def _from_cache(cached: TrialResult, job: Job) -> TrialResult:
    """Return a finished training as the result of a job, pruned where the job would be."""
    outcome, curve, reason = cached.outcome, cached.curve, cached.reason
    for epoch, reached in enumerate(cached.curve[:-1], 1):
        stopped = pruned(job.rungs, epoch, reached)
        if stopped:
            outcome, curve, reason = "pruned", curve[:epoch], stopped
            break
    score = max(curve) if curve else None
    return structs.replace(
        cached, number=job.number, outcome=outcome, curve=curve, score=score, reason=reason,
        cached=True, worker=os.getpid(),
    )  # fmt: skip


def _train(trainer: Trainer, job: Job, graph: Graph, data: Any) -> TrialResult:
    from archscope.search.proxies import proxy_scores
    from archscope.train import Recipe, train
    from archscope.train.recipe_files import change

    recipe = change(Recipe(), trainer.recipe)
    began = time.perf_counter()
    proxies = proxy_scores(graph, data, trainer.seed, trainer.adapt) if trainer.proxies else {}
    curve: list[float] = []
    reason = ""
    images = max(1, round(len(data.train) * recipe.validation))

    def report(epoch: int, scores: dict[str, float]) -> bool:
        nonlocal reason
        curve.append(score_of(scores, images))
        reason = pruned(job.rungs, epoch, curve[-1])
        return bool(reason)

    summary = train(
        graph, data, recipe, seed=trainer.seed, device=trainer.device, adapt=trainer.adapt,
        report=report, run_dir=job.keep, data={"name": trainer.data, "folder": trainer.folder},
    ).summary  # fmt: skip
    best = summary.best.validation if summary.best else None
    result = TrialResult(
        job.number, "failed", curve=tuple(curve), proxies=proxies,
        seconds=time.perf_counter() - began, worker=os.getpid(),
    )  # fmt: skip
    if summary.state == "diverged" or best is None or not curve:
        return structs.replace(result, reason=f"diverged: {summary.reason}")
    return structs.replace(
        result, outcome="pruned" if reason else "trained", score=max(curve), scores=dict(best),
        reason=reason,
    )  # fmt: skip


def score_of(scores: dict[str, float], images: int) -> float:
    """Return the accuracy, raised by less than one image is worth for a lower loss.

    With few images many networks have the same accuracy; the loss ranks these.
    """
    return scores["top1"] + 0.999 / images / (1 + max(scores["loss"], 0.0))


def graph_of(job: Job) -> Graph:
    """Return the network of a job."""
    from archscope.language import document, graph

    return graph(document(f"trial{job.number}.yaml", text=job.spec.encode()))


@lru_cache(maxsize=2)
def _data(name: str, folder: str | None) -> Any:
    from archscope.datasets import load

    return load(name, None if folder is None else Path(folder))
