"""Networks restored from run folders, ready for inference, and their evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from msgspec import Struct, structs
from torch import Tensor

from archscope.build import Network, build
from archscope.datasets import Adaptation, Dataset, Images, Statistics, fit
from archscope.datasets.splits import split_dataset
from archscope.errors import OptionError
from archscope.ir import Graph, Shape, text_of
from archscope.records.evaluation import Evaluation
from archscope.records.run_folder import SUMMARY, read_summary
from archscope.records.training import FORMAT, PixelStatistics, Scores
from archscope.train.device import Arithmetic, arithmetic, select_device
from archscope.train.evaluation import confusion, evaluate, predictions
from archscope.train.loader import EvaluationLoader
from archscope.train.metric_learning.embedding import HEAD
from archscope.train.run_folder import read_graph, read_recipe, read_weights
from archscope.train.tasks.classification import Classification
from archscope.weights import load_weights

IMAGES = "classes", "adapt", "adaptation", "statistics"
"""The keys about images in `RunSummary.data`."""


class TrainedNetwork(Struct, frozen=True, eq=False, kw_only=True):
    """A network with the weights of a run, and the preparation of its images."""

    run: str
    network: Network
    classes: tuple[str, ...]
    statistics: Statistics
    adapt: dict[str, Any]
    adaptation: Adaptation
    how: Arithmetic

    def loader(self, dataset: Dataset, images: Images) -> EvaluationLoader:
        """Prepare images of a data set for the network. Raises OptionError."""
        adaptation = fit(self.adaptation.target, dataset, **self.adapt)
        return EvaluationLoader(images, self.statistics, adaptation, self.how)


class TrainedClassifier(TrainedNetwork, frozen=True, eq=False, kw_only=True):
    """A trained network whose main output names a class."""

    task: Classification

    def check_classes(self, dataset: Dataset) -> None:
        """Raise OptionError if a data set has another number of classes."""
        if len(dataset.classes) != len(self.classes):
            raise OptionError(
                f"the run '{self.run}' knows {len(self.classes)} classes,"
                f" '{dataset.name}' has {len(dataset.classes)}"
            )


def load_network(run: Path, which: str = "best", device: str = "auto") -> TrainedNetwork:
    """Return the network of a run with its `best` or `last` weights. Raises ArchscopeError."""
    graph, recipe, summary = read_graph(run), read_recipe(run), read_summary(run, *IMAGES)
    where = select_device(device)
    network = build(graph)
    # The weights of a metric loss are useless without the classes of the training.
    weights = {
        name: tensor
        for name, tensor in read_weights(run, which).items()
        if not name.startswith(f"{HEAD}.")
    }
    load_weights(network, weights, f"'{run / which}.safetensors'")
    fitted = dict(summary.data["adaptation"])
    for shape in ("source", "target"):
        fitted[shape] = tuple(fitted[shape])
    _check_images(run, graph, fitted["target"], len(summary.data["statistics"]["mean"]))
    statistics = {name: tuple(values) for name, values in summary.data["statistics"].items()}
    return TrainedNetwork(
        run=run.name,
        network=network.to(where).eval(),
        classes=tuple(summary.data["classes"]),
        statistics=Statistics(**statistics),
        adapt=summary.data["adapt"],
        adaptation=Adaptation(**fitted),
        how=arithmetic(recipe, where, len(graph.inputs[0].out)),
    )


def _check_images(run: Path, graph: Graph, target: Shape, means: int) -> None:
    """Raise OptionError if the images of a run do not fit its network."""
    shape = graph.inputs[0].out
    if target != shape:
        raise OptionError(
            f"'{run / SUMMARY}': data.adaptation.target is {text_of(target)}, the network of"
            f" spec.yaml takes {text_of(shape)}"
        )
    if shape[0] % means:
        raise OptionError(
            f"'{run / SUMMARY}': data.statistics has {means} channels, the network of spec.yaml"
            f" takes {shape[0]}"
        )


def load_classifier(run: Path, which: str = "best", device: str = "auto") -> TrainedClassifier:
    """Return the classifier of a run with its `best` or `last` weights.

    Raises ArchscopeError, also for a run that was trained for something else.
    """
    kind = read_summary(run).task["kind"]
    if kind == "multitask":
        raise OptionError(f"the run '{run.name}' is of several tasks, not of one class an image")
    if kind == "metric":
        raise OptionError(
            f"the run '{run.name}' learnt embeddings, and names no classes; `archscope evaluate`"
            " verifies pairs"
        )
    trained = load_network(run, which, device)
    task = Classification(trained.network.graph, len(trained.classes), read_recipe(run))
    return TrainedClassifier(task=task, **structs.asdict(trained))


def images_of(run: Path, dataset: Dataset, part: str | None = None) -> tuple[str, Images]:
    """Return `test`, `validation` or `train` images of a data set, with that word.

    Of the data set that a run was trained on they are those that it was trained, validated and
    tested with. Without a part it is the first of these that there is. Raises OptionError if there
    are no such images.
    """
    summary = read_summary(run, "digest")
    taught, held = dataset.train, dataset.validation
    if dataset.digest == summary.data["digest"] and summary.task["kind"] != "metric":
        taught, held = split_dataset(dataset, read_recipe(run).validation, summary.seed)
    return chosen_images(dataset, {"test": dataset.test, "validation": held, "train": taught}, part)


def chosen_images(
    dataset: Dataset, parts: Mapping[str, Images | None], part: str | None
) -> tuple[str, Images]:
    """Return the images of a part with its name; without one, the first that there is.

    Raises OptionError if there are no such images.
    """
    there = {word: images for word, images in parts.items() if images is not None and len(images)}
    word = part or next(iter(there))
    if word not in there:
        raise OptionError(
            f"data set '{dataset.name}' has no {word} images; try --split {' or '.join(there)}"
        )
    return word, there[word]


def evaluate_run(
    run: Path,
    dataset: Dataset,
    images: Images,
    which: str = "best",
    device: str = "auto",
    *,
    split: str | None = None,
    weights: tuple[str, Mapping[str, Tensor]] | None = None,
) -> Evaluation:
    """Return the scores of a run's classifier on images of a data set, with its confusion matrix.

    `which` weights are those of the `best` validation or of the `last` epoch; `weights`, with the
    name of their file, take their place. Images are normalised as those of the training. `split`
    is recorded. Raises ArchscopeError, also if the number of classes differs.
    """
    trained = load_classifier(run, which, device)
    trained.check_classes(dataset)
    if weights is not None:
        which, state = weights
        load_weights(trained.network, state, f"'{which}'")
    return evaluate_classifier(
        trained, dataset, images,
        split=split, weights=which, chance=read_summary(run).data.get("chance"),
    )  # fmt: skip


def evaluate_classifier(
    trained: TrainedClassifier,
    dataset: Dataset,
    images: Images,
    *,
    split: str | None,
    weights: str,
    chance: float | None,
) -> Evaluation:
    """Return the scores of a classifier on images; `split`, `weights`, `chance` are recorded."""
    task, classes = trained.task, len(trained.classes)
    sums = torch.zeros(len(task.measures), dtype=torch.float64, device=trained.how.device)
    matrix = torch.zeros(classes, classes, dtype=torch.int64)
    loader = trained.loader(dataset, images)
    for outputs, labels in predictions(trained.network, loader, trained.how):
        sums += task.tally(outputs, labels)
        matrix += confusion(task.logits(outputs).argmax(1), labels, classes).cpu()
    return Evaluation(
        FORMAT,
        trained.run,
        dataset.name,
        len(images),
        dataset.classes,
        dict(zip(task.measures, (sums / len(images)).tolist(), strict=True)),
        tuple(map(tuple, matrix.tolist())),
        chance,
        split=split,
        weights=weights,
        normalization=PixelStatistics(trained.statistics.mean, trained.statistics.std),
    )


def scores_of_weights(
    run: Path,
    dataset: Dataset,
    images: Images,
    weights: Mapping[str, Tensor],
    device: str = "auto",
) -> Scores:
    """Return the scores that a run's classifier has with other weights, on images of a data set.

    Raises ArchscopeError as `evaluate_run` does, and for weights that do not fit.
    """
    trained = load_classifier(run, device=device)
    trained.check_classes(dataset)
    load_weights(trained.network, weights, "the weights")
    return evaluate(trained.network, trained.task, trained.loader(dataset, images), trained.how)
