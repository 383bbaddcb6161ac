"""Training a network from start to end: `train` begins a run, `resume` continues one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from archscope.datasets import Dataset
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.records.run_folder import read_summary
from archscope.records.training import Pretrained
from archscope.train.callbacks import Callback
from archscope.train.device import deterministic, select_device
from archscope.train.loop import Report
from archscope.train.metric_learning.embedding import to_embed, without_classifier
from archscope.train.recipe import Recipe
from archscope.train.run_folder import Recorder, RunFolder, read_graph, read_recipe
from archscope.train.tasks import Task
from archscope.train.training_run import RunResult, RunSettings, TrainingRun
from archscope.weights import digest_of


def train(
    graph: Graph,
    dataset: Dataset,
    recipe: Recipe | None = None,
    *,
    run_dir: str | Path | None = None,
    seed: int = 0,
    device: str = "auto",
    deterministic: bool = False,
    adapt: dict[str, Any] | None = None,
    data: dict[str, Any] | None = None,
    task: Task | None = None,
    progress: Callback | None = None,
    report: Report = lambda epoch, scores: False,
    stop: Callable[[], bool] = lambda: False,
    command: str = "",
    initial: Mapping[str, Tensor] | None = None,
    pretrained: Pretrained | None = None,
    compressed_from: str = "",
) -> RunResult:
    """Train a network and return its scores, which are reproducible on the same machine.

    The training images are split; the validation split (`validation` of the recipe) chooses the
    best weights. The test images are evaluated once, at the end, with the best weights. `run_dir`
    is a new run folder; with None nothing is kept. `seed` decides the split, the initial weights,
    the order and the augmentation. `adapt` says how images are brought to the input of the network
    (`fit`: how, channels). `report` is called with each epoch's number and validation scores and
    may return True to end the training there. `stop` is called at every step; if it returns True,
    the run stops and `resume` can continue it. `initial` has weights of another network: those of
    the same name and shape are copied before training, the rest is initialised as ever;
    `pretrained` says for the summary where they are from, and `compressed_from` the folder of the
    run whose network was pruned or quantized.

    A metric loss trains, and returns, the tower of a network of several inputs, and splits by
    class: validation and test images are of classes that it was not trained on.

    A run that diverges ends with the state `diverged` and no error. Raises ArchscopeError for
    what cannot be trained, or if memory or disk are full; files written before are complete.
    """
    settings = RunSettings(
        name=Path(run_dir).name if run_dir is not None else graph.name,
        seed=seed,
        device=device,
        deterministic=deterministic,
        data=data or {"name": dataset.name},
        adapt=adapt or {},
        command=command,
        started=datetime.now(UTC).isoformat(timespec="seconds"),
        pretrained=pretrained,
        compressed_from=compressed_from,
        initial_sha256=digest_of(initial) if initial else "",
    )
    recipe = recipe or Recipe()
    if recipe.metric:
        graph, _ = without_classifier(graph, len(dataset.classes))
        graph, recipe = to_embed(graph, recipe)
    path = Path(run_dir) if run_dir is not None else None
    with _session(settings) as where:
        work = TrainingRun(
            graph, dataset, recipe, settings, where, task, progress or Callback(), report, stop,
            initial,
        )  # fmt: skip
        if path is None or not work.processes.first:
            return work.run(Recorder(), None)
        folder = RunFolder.create(path)
        try:
            work.describe(folder)
            return work.run(folder, path)
        finally:
            folder.release()


def resume(
    run_dir: str | Path,
    dataset: Dataset,
    *,
    device: str | None = None,
    task: Task | None = None,
    progress: Callback | None = None,
    report: Report = lambda epoch, scores: False,
    stop: Callable[[], bool] = lambda: False,
) -> RunResult:
    """Continue a training that was stopped or killed, to the scores that it would have had.

    On a CPU with the same number of threads they are identical. Raises
    OptionError if the run has ended, or if the images are not those it started with.
    """
    path = Path(run_dir)
    before = read_summary(path, "source", "digest", "adapt")
    if before.state in ("finished", "diverged"):
        raise OptionError(f"the run '{path}' has ended: {before.state} ({before.reason})")
    if before.data["digest"] != dataset.digest:
        raise OptionError(f"the images of '{dataset.name}' are not those of the run '{path}'")
    settings = RunSettings(
        name=before.name,
        seed=before.seed,
        device=device or before.device,
        deterministic=before.deterministic,
        data=before.data["source"],
        adapt=before.data["adapt"],
        command=before.command,
        started=before.started,
        pretrained=before.pretrained,
        compressed_from=before.compressed_from,
        initial_sha256=before.initial_sha256,
    )
    with _session(settings) as where:
        work = TrainingRun(
            read_graph(path), dataset, read_recipe(path), settings, where, task,
            progress or Callback(), report, stop,
        )  # fmt: skip
        folder = RunFolder(path)
        if work.processes.first:
            folder.acquire()
        try:
            state = folder.read_checkpoint()
            if state is None and before.initial_sha256:
                raise OptionError(
                    f"'{path}' ended before its first checkpoint, and the weights that it began"
                    " with are not in it; remove it and train again"
                )
            if not work.processes.first:
                return work.run(Recorder(), None, state, before.task)
            folder.rewind(state["steps"] if state else 0, len(state["records"][0]) if state else 0)
            folder.summarize = work.summary
            return work.run(folder, path, state, before.task)
        finally:
            folder.release()


@contextmanager
def _session(settings: RunSettings) -> Iterator[torch.device]:
    """Select the device; restore torch's settings and random state afterwards."""
    where = select_device(settings.device)
    gpus = [where] if where.type == "cuda" else []
    with torch.random.fork_rng(devices=gpus), deterministic(settings.deterministic):
        yield where
