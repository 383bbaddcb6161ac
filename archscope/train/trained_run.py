"""A trained run on images of a data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from msgspec import Struct

from archscope.build import Network, build
from archscope.datasets import Adaptation, Dataset, Images, Statistics, fit
from archscope.errors import OptionError
from archscope.records.training import FORMAT, Scores
from archscope.train.accuracy import confusion
from archscope.train.device import Arithmetic, arithmetic, device
from archscope.train.loader import Plain
from archscope.train.metric_learning.embedding import HEAD
from archscope.train.run_folder import read_graph, read_recipe, read_summary, read_weights
from archscope.train.tasks.classification import Classification


class Judgement(Struct, frozen=True):
    """Scores, and how often each class (row) was taken for each (column)."""

    format: int
    run: str
    data: str
    images: int
    classes: tuple[str, ...]
    scores: Scores
    confusion: list[list[int]]


class Trained(Struct, frozen=True, eq=False):
    """A network with the weights of a run, ready for inference."""

    network: Network
    task: Classification
    classes: tuple[str, ...]
    statistics: Statistics
    adapt: dict[str, Any]
    adaptation: Adaptation
    how: Arithmetic


def trained(run: Path, which: str = "best", name: str = "auto") -> Trained:
    """Return the network of a run with its `best` or `last` weights. Raises ArchscopeError."""
    kind = read_summary(run).task["kind"]
    if kind == "multitask":
        raise OptionError(f"the run '{run.name}' is of several tasks, not of one class an image")
    if kind == "metric":
        raise OptionError(
            f"the run '{run.name}' learnt embeddings, and names no classes; `archscope evaluate`"
            " verifies pairs"
        )
    parts = restored(run, which, name)
    task = Classification(parts["network"].graph, len(parts["classes"]), read_recipe(run))
    return Trained(task=task, **parts)


def restored(run: Path, which: str, name: str) -> dict[str, Any]:
    """Return the network of a run and how to feed it: the fields of `Trained` but for the task."""
    graph, recipe, summary = read_graph(run), read_recipe(run), read_summary(run)
    where = device(name)
    network = build(graph)
    weights = read_weights(run, which)
    # What a metric loss learnt is of no use without the classes that it was trained on.
    own = {key: one for key, one in weights.items() if not key.startswith(f"{HEAD}.")}
    network.load_state_dict(own)
    classes = tuple(summary.data["classes"])
    fitted = dict(summary.data["adaptation"])
    for shape in ("source", "target"):
        fitted[shape] = tuple(fitted[shape])
    standard = {key: tuple(value) for key, value in summary.data["statistics"].items()}
    return {
        "network": network.to(where).eval(),
        "classes": classes,
        "statistics": Statistics(**standard),
        "adapt": summary.data["adapt"],
        "adaptation": Adaptation(**fitted),
        "how": arithmetic(recipe, where, len(graph.inputs[0].out)),
    }


def judge(
    run: Path, dataset: Dataset, images: Images, which: str = "best", name: str = "auto"
) -> Judgement:
    """Return how the network of a run does on images, normalised as those it learnt from.

    `which` weights are those of the `best` validation or of the `last` epoch; `name` is the
    device. Raises OptionError if the classes are not as many.
    """
    one = trained(run, which, name)
    if len(dataset.classes) != len(one.classes):
        raise OptionError(
            f"the run '{run.name}' knows {len(one.classes)} classes,"
            f" '{dataset.name}' has {len(dataset.classes)}"
        )
    adaptation = fit(one.adaptation.target, dataset, **one.adapt)
    size = len(one.task.measures)
    sums = torch.zeros(size, dtype=torch.float64, device=one.how.device)
    matrix = torch.zeros(len(one.classes), len(one.classes), dtype=torch.int64)
    with torch.no_grad():
        for batch, labels in Plain(images, one.statistics, adaptation, one.how):
            with one.how.autocast():
                outputs = one.network(batch)
            sums += one.task.tally(outputs, labels)
            guesses = one.task.logits(outputs).argmax(1)
            matrix += confusion(guesses, labels, len(one.classes)).cpu()
    return Judgement(
        FORMAT,
        run.name,
        dataset.name,
        len(images),
        dataset.classes,
        dict(zip(one.task.measures, (sums / len(images)).tolist(), strict=True)),
        matrix.tolist(),
    )
