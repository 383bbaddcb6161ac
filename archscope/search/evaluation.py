"""Train a candidate briefly, in any process: from a job to its result."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any

from msgspec import Struct, structs

from archscope import __version__
from archscope.analysis.canonical import canonical
from archscope.errors import ArchscopeError
from archscope.files import Cache
from archscope.ir import Graph
from archscope.ops import OPS
from archscope.records.study import Job, TrialResult
from archscope.search.pruning import pruned
from archscope.weights import read_weights, write_weights

if TYPE_CHECKING:
    from archscope.search.training_images import TrainingImages

CACHE = Cache("trainings", TrialResult)

SPLIT_SEEDS = 1_000_003
"""The distance between the seeds of repeated splits, so that no other trial uses them."""


class Trainer(Struct, frozen=True, kw_only=True):
    """How to train candidates: plain data, the same for all trials of a study."""

    data: str
    folder: str | None = None
    images: int | None = None  # per epoch; 0 for all, None if a pilot chooses
    recipe: dict[str, Any] = {}
    seed: int = 0
    device: str = "cpu"
    threads: int = 1  # of each training; results depend on it
    adapt: dict[str, Any] = {}
    proxies: bool = True
    cache: bool = True


Evaluate = Callable[[Trainer, Job], TrialResult]
"""The function that runs a job in a process: `evaluate`, except in tests."""


def evaluate(trainer: Trainer, job: Job) -> TrialResult:
    """Train a candidate and return its result; errors become a failed result.

    If a study has finished the same training before, its result is taken from the cache, unless the
    run or the weights must be kept.
    """
    import torch
    import torch._dynamo  # imported by optimizers, which would count as training time

    from archscope.search.training_images import load_images

    began = time.perf_counter()
    torch.set_num_threads(trainer.threads)
    try:
        graph = graph_of(job)
        share = trainer.recipe.get("validation")
        images = load_images(trainer.data, trainer.folder, trainer.images or 0, share, trainer.seed)
        began = time.perf_counter()  # importing torch and reading images happen once per process
        key = cache_key(graph, images.dataset.digest, trainer)
        plain = job.keep is job.inherit is job.leave is None
        cached = CACHE.get(key) if trainer.cache and plain else None
        if cached is not None:
            return _from_cache(cached, job)
        result = _train(trainer, job, graph, images)
    except ArchscopeError as error:
        took = time.perf_counter() - began
        return TrialResult(job.number, "failed", reason=str(error), seconds=took)
    result = structs.replace(
        result, number=job.number, seconds=time.perf_counter() - began, worker=os.getpid()
    )
    if trainer.cache and result.outcome == "trained" and job.inherit is None:
        CACHE.put(key, result)
    return result


def cache_key(graph: Graph, data: str, trainer: Trainer) -> tuple[Any, ...]:
    """Return everything that a training result depends on; `data` is the digest of the images."""
    import torch

    plugins = {OPS.files[node.op.name].plugin for node in graph.nodes if node.op.name in OPS.files}
    return (
        canonical(graph), data, sorted(trainer.recipe.items()), trainer.seed, trainer.device,
        trainer.threads, sorted(trainer.adapt.items()), trainer.proxies, __version__,
        str(torch.__version__), trainer.images, sorted(plugin.digest() for plugin in plugins),
    )  # fmt: skip


def _from_cache(cached: TrialResult, job: Job) -> TrialResult:
    """Return a finished training as the result of a job, pruned where the job's rungs say so."""
    found = structs.replace(cached, number=job.number, cached=True, worker=os.getpid())
    for epoch, loss in enumerate(cached.losses[:-1], 1):
        reason = pruned(job.rungs, epoch, loss)
        if reason:
            seen = zip(cached.curve[:epoch], cached.losses[:epoch], strict=True)
            return scored(
                structs.replace(found, outcome="pruned", reason=reason),
                [{"top1": accuracy, "loss": loss} for accuracy, loss in seen],
            )
    return found


def _train(trainer: Trainer, job: Job, graph: Graph, images: TrainingImages) -> TrialResult:
    """Train a network on each split of the images."""
    from archscope.search.proxies import proxy_scores
    from archscope.train import Recipe, train
    from archscope.train.recipe_files import change

    recipe = change(Recipe(), {**trainer.recipe, "validation": images.validation})
    data = images.dataset
    proxies = proxy_scores(graph, data, trainer.seed, trainer.adapt) if trainer.proxies else {}
    result = TrialResult(job.number, "failed", proxies=proxies, chance=images.chance)
    initial = None if job.inherit is None else read_weights(Path(job.inherit))
    rungs = job.rungs if images.splits == 1 else ()  # small sets train fast, and to the end
    reason, validated, speed = "", 0, 0.0
    splits: list[list[dict[str, float]]] = []  # for each split, the scores after each epoch

    def report(epoch: int, scores: dict[str, float]) -> bool:
        nonlocal reason
        splits[-1].append(scores)
        reason = pruned(rungs, epoch, scores["loss"])
        return bool(reason)

    for part in range(images.splits):
        splits.append([])
        run = train(
            graph, data, recipe, seed=trainer.seed + part * SPLIT_SEEDS, device=trainer.device,
            adapt=trainer.adapt, report=report, run_dir=job.keep if part == 0 else None,
            data={"name": trainer.data, "folder": trainer.folder}, initial=initial,
        )  # fmt: skip
        summary = run.summary
        if summary.state == "diverged" or not splits[-1]:
            return structs.replace(result, reason=f"diverged: {summary.reason}")
        if job.leave is not None and part == 0:
            write_weights(run.network.state_dict(), Path(job.leave))
        validated += summary.data["validation"]
        speed = summary.last.images_per_second if summary.last else 0.0
    epochs = [
        {name: fmean(scores[name] for scores in epoch) for name in epoch[0]}
        for epoch in zip(*splits, strict=False)
    ]
    return scored(
        structs.replace(
            result,
            outcome="pruned" if reason else "trained",
            reason=reason,
            validated=validated,
            speed=speed,
        ),
        epochs,
    )


def scored(result: TrialResult, epochs: Sequence[dict[str, float]]) -> TrialResult:
    """Add the scores after each epoch to a result; its score is that of the best epoch."""
    best = max(epochs, key=lambda scores: (scores["top1"], -scores["loss"]))
    return structs.replace(
        result, score=best["top1"], scores=dict(best),
        curve=tuple(scores["top1"] for scores in epochs),
        losses=tuple(scores["loss"] for scores in epochs),
    )  # fmt: skip


def graph_of(job: Job) -> Graph:
    """Return the network of a job."""
    from archscope.language import document, graph

    return graph(document(f"trial{job.number}.yaml", text=job.spec.encode()))
