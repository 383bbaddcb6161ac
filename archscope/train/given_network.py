"""Networks whose weights were not trained by a run, prepared for the images of a data set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from msgspec import structs
from torch import Tensor

from archscope import datasets
from archscope.build import build
from archscope.datasets import Dataset, Statistics
from archscope.datasets.adaptation import Channels, Way
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.records.evaluation import Evaluation
from archscope.train.device import arithmetic, select_device
from archscope.train.recipe import Recipe
from archscope.train.tasks.classification import Classification
from archscope.train.trained_network import (
    TrainedClassifier,
    TrainedNetwork,
    chosen_images,
    evaluate_classifier,
)
from archscope.weights import load_weights

Normalization = Literal["data", "imagenet", "none"]

IMAGENET = Statistics((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
"""The mean and deviation with which torchvision and timm train."""


def given_network(
    graph: Graph,
    weights: Mapping[str, Tensor],
    source: str,
    dataset: Dataset,
    *,
    normalize: Normalization = "data",
    adapt: Way = "resize",
    device: str = "cpu",
) -> TrainedNetwork:
    """Return a network with given weights, prepared for the images of a data set.

    `normalize` subtracts the mean of the training images and divides by their deviation (`data`),
    takes those of ImageNet, or leaves pixels from 0 to 1 (`none`). Grey images are repeated for a
    network with several input channels. Errors refer to the weights as `source`. Raises
    ArchscopeError.
    """
    network = build(graph)
    load_weights(network, weights, source)
    if len(graph.inputs) != 1:
        raise OptionError(
            f"expected a network with a single input, '{graph.name}' has {len(graph.inputs)}"
        )
    shape = graph.inputs[0].out
    channels: Channels = "repeat" if dataset.train.shape[0] == 1 else "same"
    adaptation = datasets.fit(shape, dataset, how=adapt, channels=channels)
    where = select_device(device)
    return TrainedNetwork(
        run=graph.name,
        network=network.to(where).eval(),
        classes=dataset.classes,
        statistics=_statistics(normalize, dataset, shape[0]),
        adapt={"how": adapt, "channels": channels},
        adaptation=adaptation,
        how=arithmetic(Recipe(precision="float32"), where, len(shape)),
    )


def given_classifier(trained: TrainedNetwork) -> TrainedClassifier:
    """Return a given network as a classifier of its classes.

    Raises OptionError unless each of its outputs has a number for each class.
    """
    graph = trained.network.graph
    task = Classification(graph, len(trained.classes), Recipe())
    task.check(graph)
    return TrainedClassifier(task=task, **structs.asdict(trained))


def evaluate_weights(
    graph: Graph,
    weights: Mapping[str, Tensor],
    source: str,
    dataset: Dataset,
    split: str | None = None,
    *,
    normalize: Normalization = "data",
    adapt: Way = "resize",
    device: str = "auto",
) -> Evaluation:
    """Return the scores of a network with given weights on a part of a data set.

    `split` is `test`, `validation` or `train`, by default the first of these that there is. The
    other arguments are those of `given_network`. Raises ArchscopeError, also for a network that
    has another number of classes.
    """
    parts = {"test": dataset.test, "validation": dataset.validation, "train": dataset.train}
    split, images = chosen_images(dataset, parts, split)
    network = given_network(
        graph, weights, f"'{source}'", dataset, normalize=normalize, adapt=adapt, device=device
    )
    trained = given_classifier(network)
    chance = trained.task.chance(dataset.train)
    return evaluate_classifier(trained, dataset, images, split=split, weights=source, chance=chance)


def _statistics(normalize: Normalization, dataset: Dataset, channels: int) -> Statistics:
    if normalize == "data":
        return datasets.statistics(dataset.train)
    if normalize == "none":
        return Statistics((0.0,), (1.0,)).repeated(channels)
    if channels != len(IMAGENET.mean):
        raise OptionError(
            f"the statistics of ImageNet are those of 3 channels, the network takes {channels}"
        )
    return IMAGENET
