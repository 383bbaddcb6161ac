"""Images, gradients and scores of trained networks for compression."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from msgspec import Struct
from torch import Tensor, nn

from archscope import datasets
from archscope.build import Network, build
from archscope.datasets import Dataset, Images
from archscope.errors import OptionError
from archscope.exporters.formats import FORMATS
from archscope.fused import fused_network
from archscope.ir import Graph
from archscope.records.run_folder import read_summary
from archscope.records.training import Scores
from archscope.train.evaluation import evaluate
from archscope.train.given_network import given_classifier, given_network
from archscope.train.loader import EvaluationLoader
from archscope.train.run_folder import read_recipe
from archscope.train.tasks import Task
from archscope.train.trained_network import load_classifier
from archscope.weights import load_weights

DECIDING = 2000
"""Maximum number of images that decide which layers stay in float32."""

BATCH = 16  # images per calibration batch

Loader = Callable[[Images], EvaluationLoader]


class Material(Struct, frozen=True, eq=False):
    """A network, its images, and their preparation."""

    network: Network
    loader: Loader
    task: Task | None  # None if the network has other classes
    calibration: Images
    deciding: Images  # not trained on if the run kept some apart, and never tested on
    test: Images | None
    kept_apart: bool  # whether the deciding images were not trained on

    @property
    def compared(self) -> tuple[str, Images] | None:
        """The split on which compressed networks are compared: test, or validation without one."""
        if self.test is not None:
            return "test", self.test
        return ("validation", self.deciding) if self.kept_apart else None

    def model(self) -> bytes:
        """Return the network with folded batch norms as ONNX. Raises ArchscopeError."""
        export = FORMATS["onnx"].exporter()
        return export(fused_network(self.network), None)

    def batches(self) -> list[Any]:
        """Return the images to calibrate with, as arrays (N, ...)."""
        return [
            part.numpy()
            for images, _ in self.loader(self.calibration)
            for part in torch.split(images.contiguous(), BATCH)
        ]

    def scores(self, model: bytes, images: Images) -> Scores:
        """Return the scores of an ONNX model on images."""
        assert self.task is not None
        loader = self.loader(images)
        return evaluate(_OnnxModule(model), self.task, loader, loader.how)

    def score(self, model: bytes) -> tuple[float, float]:
        """Return the accuracy and the loss of an ONNX model on the deciding images."""
        found = self.scores(model, self.deciding)
        return found["top1"], found["loss"]

    def accuracy(self, graph: Graph, weights: Mapping[str, Tensor]) -> float:
        """Return the accuracy of another network on the deciding images."""
        assert self.task is not None
        network = build(graph)
        load_weights(network, weights, "the weights")
        loader = self.loader(self.deciding)
        return evaluate(network, self.task, loader, loader.how)["top1"]

    def gradients(
        self, graph: Graph, weights: Mapping[str, Tensor]
    ) -> Iterator[Mapping[str, Tensor]]:
        """Yield the gradients of the loss for another network, batch by batch."""
        assert self.task is not None
        network = build(graph).eval()
        load_weights(network, weights, "the weights")
        for images, labels in self.loader(self.calibration):
            for part, wanted in zip(
                torch.split(images, BATCH), torch.split(labels, BATCH), strict=True
            ):
                network.zero_grad()
                self.task.loss(network(part), wanted).backward()  # type: ignore[no-untyped-call]
                yield {
                    name: torch.zeros_like(weight) if weight.grad is None else weight.grad
                    for name, weight in network.named_parameters()
                }


def of_run(
    run: Path, dataset: Dataset, weights: Mapping[str, Tensor] | None, count: int
) -> Material:
    """Return the network of a run, optionally with other weights, and `count` of its images.

    Raises ArchscopeError.
    """
    trained = load_classifier(run, device="cpu")
    trained.check_classes(dataset)
    if weights is not None:
        load_weights(trained.network, weights, "the weights")
    train, validation, test = trained.task.divide(dataset, read_recipe(run), read_summary(run).seed)
    return Material(
        trained.network,
        lambda images: trained.loader(dataset, images),
        trained.task,
        _some(train, count),
        _some(validation if len(validation) else train, DECIDING),
        test,
        bool(len(validation)),
    )


def of_network(
    graph: Graph, weights: Mapping[str, Tensor], source: str, dataset: Dataset, count: int
) -> Material:
    """Return a network with given weights, and `count` images of a data set to calibrate with.

    Images are normalised by their own mean and deviation. Raises ArchscopeError.
    """
    given = given_network(graph, weights, source, dataset)
    task: Task | None = None
    with suppress(OptionError):  # of another number of classes: nothing is scored
        task = given_classifier(given).task
    train, validation = datasets.split(dataset.train, 0.1, 0)
    return Material(
        given.network,
        lambda images: given.loader(dataset, images),
        task,
        _some(train, count),
        _some(validation, DECIDING),
        dataset.test,
        kept_apart=False,
    )


class _OnnxModule(nn.Module):
    """An ONNX model as a torch module that is called with batches."""

    def __init__(self, model: bytes) -> None:
        super().__init__()
        self.run = FORMATS["onnx"].loader()(model, {})

    def forward(self, images: Tensor) -> Any:
        return self.run(images.contiguous())


def _some(images: Images, count: int) -> Images:
    """Return some of the images, evenly spread, or all if there are fewer."""
    if len(images) <= count:
        return images
    return images.take(torch.arange(count) * len(images) // count)
