"""Image classification, with auxiliary heads."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor

from archscope.datasets import Images
from archscope.errors import OptionError
from archscope.ir import Graph, text_of
from archscope.train.evaluation import hits
from archscope.train.losses import criterion
from archscope.train.recipe import Recipe
from archscope.train.tasks import Outputs, Task


class Classification(Task):
    """Trains the sum of the losses of all outputs, weighted as in the spec.

    Accuracy is that of the network's main output: `top1`, and `top5` of more than ten classes.
    """

    goal = "top1"
    about: dict[str, Any] = {"kind": "classification"}

    def __init__(self, graph: Graph, classes: int, recipe: Recipe) -> None:
        self.classes = classes
        self.weights = {output.name: output.weight for output in graph.outputs}
        self.main = graph.main.name
        self.criterion = criterion(recipe)
        self.plain = criterion(recipe, smooth=False)
        self.top5 = classes > 10
        self.measures = ("loss", "top1", *(["top5"] if self.top5 else []))

    def chance(self, images: Images) -> float | None:
        """Return the accuracy of always predicting the most frequent class."""
        return int(torch.bincount(images.labels).max()) / len(images)

    def check(self, graph: Graph) -> None:
        """Raise OptionError unless one image goes in and one number for each class comes out."""
        if len(graph.inputs) != 1:
            names = ", ".join(node.name for node in graph.inputs)
            raise OptionError(
                f"'{graph.name}' takes {len(graph.inputs)} inputs ({names}), and classification"
                " feeds one; --loss contrastive, triplet or quadruplet trains the branches"
            )
        for output in graph.outputs:
            shape = graph.by_name[output.node].out
            if shape[0] != self.classes or prod(shape) != self.classes:
                raise OptionError(
                    f"output '{output.name}' of '{graph.name}' is {text_of(shape)}, but the data"
                    f" have {self.classes} classes; many specs take --set classes={self.classes},"
                    f" modules an argument, as Net(classes={self.classes})"
                )

    def loss(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return the weighted sum over all outputs, including those only for training."""
        if isinstance(outputs, Tensor):
            return self.criterion(outputs.flatten(1), labels)
        total = outputs[self.main].new_zeros(())
        for name, output in outputs.items():
            total = total + self.weights[name] * self.criterion(output.flatten(1), labels)
        return total

    def tally(self, outputs: Outputs, labels: Tensor, loss: Tensor | None = None) -> Tensor:
        """Return the sums of `measures` over a batch, in float64."""
        main = self.logits(outputs).detach()
        if loss is None:
            loss = self.plain(main, labels)
        sums = [loss.detach() * len(labels), hits(main, labels)]
        if self.top5:
            sums.append(hits(main, labels, among=5))
        return torch.stack([value.double() for value in sums])

    def logits(self, outputs: Outputs) -> Tensor:
        """Return the main output of a batch, (N, classes)."""
        main = outputs if isinstance(outputs, Tensor) else outputs[self.main]
        return main.flatten(1)
