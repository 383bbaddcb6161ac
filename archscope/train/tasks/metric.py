"""Metric learning: embeddings whose distances tell whether two images are of one class."""

from __future__ import annotations

from copy import deepcopy
from math import prod
from typing import TYPE_CHECKING, Any

import torch
from msgspec import Struct
from torch import Tensor, nn

from archscope.build import Network
from archscope.datasets import Dataset, Images
from archscope.datasets.splits import split_classes
from archscope.datasets.turns import distinct_turns
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.records.training import Scores
from archscope.train.evaluation import evaluate, outputs_of
from archscope.train.metric_learning.distance import distance_change, pairwise
from archscope.train.metric_learning.embedding import HEAD, tower
from archscope.train.metric_learning.metric_losses import (
    ANCHORS,
    anchor_of,
    distance_of,
    metric_loss,
    unit_of,
)
from archscope.train.metric_learning.verification import batch_auc, verify
from archscope.train.recipe import Recipe
from archscope.train.tasks import Outputs, Parts, Task

if TYPE_CHECKING:
    from archscope.train.loader import TrainingLoader

FEW = 20
"""Classes below which turns count as classes, and anchors hold: few say little about others."""


class MetricTargets(Struct, frozen=True):
    """What the embeddings of a batch are compared with."""

    labels: Tensor
    before: Tensor | None  # embeddings of the untrained network (N, D)


class MetricLearning(Task):
    """Trains the tower of a network with a metric loss over the batch, and verifies pairs.

    Classes are split, not images: validation and test are of classes that training never saw.
    There, `auc` and `verification` are those of drawn pairs (`verify`). In training, `auc` is that
    of all pairs in a batch, the mean over batches, while the weights still move.
    """

    goal = "auc"
    test: Images
    measures: tuple[str, ...] = ("loss", "auc")

    def __init__(self, graph: Graph, recipe: Recipe) -> None:
        self.recipe = recipe
        self.size = prod(graph.by_name[graph.main.node].out)
        self.distance = distance_of(recipe)
        self.square = len(set(graph.inputs[0].out[1:])) == 1
        self.classes = 0  # that are trained on, with their turns
        self.about: dict[str, Any] = {
            "kind": "metric", "loss": str(recipe.loss), "distance": self.distance,
        }  # fmt: skip
        self.criterion: nn.Module = nn.Identity()
        self.start: Network | None = None  # the untrained network, whose distances are kept

    def check(self, graph: Graph) -> None:
        """Raise OptionError unless one image goes in and one embedding comes out."""
        if tower(graph)[0] is not graph:
            raise OptionError(
                f"'{graph.name}' does not end in the embedding of one image; train its tower"
                " (archscope.train.metric_learning.embedding.tower)"
            )

    def divide(self, dataset: Dataset, recipe: Recipe, seed: int) -> Parts:
        """Return images to train, validate and test with, which have no class in common."""
        parts = split_classes(dataset, recipe.unseen, recipe.validation > 0, seed)
        self.classes = len(parts.classes["taught"])
        for part, labels in parts.classes.items():
            self.about[part] = [dataset.classes[label] for label in labels]
        self.test = parts.test
        if recipe.turns == "auto" and self.classes < FEW:
            self.turns = distinct_turns(parts.train, square=self.square)
            self.about["classes_with_turns"] = self.classes = sum(map(len, self.turns))
        return parts.train, parts.validation, parts.test

    def begin(self, network: Network, loader: TrainingLoader) -> None:
        """Score the untrained network, measure its embeddings, and add the loss's weights to it.

        An untrained network tells many classes apart by their pixels alone; training is worth
        what it adds to that.
        """
        test = loader.evaluation(self.test)
        if loader.validation is not None:
            self.about["untrained"] = evaluate(network, self, loader.validation, loader.how)
        self.about["untrained_test"] = evaluate(network, self, test, loader.how)
        outputs, _ = outputs_of(network, loader.samples(), loader.how)
        self.about["margin_unit"] = unit_of(self.recipe, self.embeddings(outputs))
        self.criterion = metric_loss(self.recipe, self.classes, self.size)
        weight = self._anchor()
        if weight is not None:
            self.about["anchor"] = weight
            self.start = deepcopy(network).requires_grad_(False)
            self.criterion.add_module("start", self.start)  # saved, for a run that goes on
        network.add_module(HEAD, self.criterion.to(loader.how.device))

    def _anchor(self) -> float | None:
        """Return the weight of the anchor, or None for none.

        It depends on the weights only by its value, as a run that goes on has others.
        """
        loss, anchor, untrained = self.recipe.loss, self.recipe.anchor, self.about.get("untrained")
        if anchor is not None:
            return anchor or None
        if loss not in ANCHORS or len(self.about["taught"]) >= FEW or untrained is None:
            return None
        return anchor_of(loss, untrained["auc"])

    def targets(self, images: Tensor, labels: Tensor) -> MetricTargets:
        """Return labels with the embeddings of the untrained network, if they are to be kept."""
        if self.start is None or not self.about["anchor"]:
            return MetricTargets(labels, None)
        with torch.no_grad():
            return MetricTargets(labels, self.embeddings(self.start.eval()(images)))

    def loss(self, outputs: Outputs, targets: MetricTargets) -> Tensor:
        """Return the loss of a batch, computed in float32 whatever the precision of the network."""
        embeddings = self.embeddings(outputs)
        with torch.autocast(embeddings.device.type, enabled=False):
            unit = self.about["margin_unit"]
            loss: Tensor = self.criterion(embeddings / unit, targets.labels)
            if targets.before is not None:
                moved = distance_change(embeddings, targets.before, self.distance)
                loss = loss + self.about["anchor"] * moved
        return loss

    def tally(self, outputs: Outputs, targets: MetricTargets, loss: Tensor | None = None) -> Tensor:
        """Return the sums of `measures` over a training batch, in float64."""
        assert loss is not None
        labels = targets.labels
        embeddings = self.embeddings(outputs).detach()
        with torch.autocast(embeddings.device.type, enabled=False):
            auc = batch_auc(pairwise(embeddings, self.distance), labels)
        return torch.stack([loss.detach().double(), auc]) * len(labels)

    def scores(self, outputs: Tensor, labels: Tensor) -> Scores:
        """Return `auc` and `verification` of pairs of all images."""
        return verify(self.embeddings(outputs), labels, self.distance)

    def embeddings(self, outputs: Outputs) -> Tensor:
        """Return the embeddings of a batch, float32 (N, D)."""
        assert isinstance(outputs, Tensor)
        return outputs.flatten(1).float()
