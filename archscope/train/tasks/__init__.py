"""Tasks: the loss and the measures of a training."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from torch import Tensor

from archscope.build import Network
from archscope.datasets import Dataset, Images
from archscope.datasets.splits import split_dataset
from archscope.ir import Graph
from archscope.records.training import Scores
from archscope.train.recipe import Recipe

if TYPE_CHECKING:
    from archscope.train.loader import TrainingLoader

Outputs = Tensor | dict[str, Tensor]
"""What a network returns: the tensor of its only output, or a tensor for each output's name."""

Parts = tuple[Images, Images, Images | None]
"""Images to train, validate and test with."""


class Task(Protocol):
    """How labels are compared with outputs and measured, independent of the training loop."""

    about: dict[str, Any]  # the data to create it again, for run.json
    measures: tuple[str, ...]  # the measures that `tally` sums, `loss` first
    goal: str  # the measure that selects the best weights; higher is better

    turns: tuple[tuple[int, ...], ...] = ()  # of each class, those that count as separate classes

    def divide(self, dataset: Dataset, recipe: Recipe, seed: int) -> Parts:
        """Return images to train and validate with, each class split alike, and those to test."""
        return *split_dataset(dataset, recipe.validation, seed), dataset.test

    def chance(self, images: Images) -> float | None:
        """Return the goal reached by guessing from the training images, if it is an accuracy."""
        return None

    def check(self, graph: Graph) -> None:
        """Raise OptionError if the network cannot be trained for the task."""

    def begin(self, network: Network, loader: TrainingLoader) -> None:
        """Prepare to train a network with the batches of a loader; by default nothing."""
        return

    def targets(self, images: Tensor, labels: Tensor) -> Any:
        """Return the targets of the outputs of a training batch, such as the labels."""
        return labels

    def loss(self, outputs: Outputs, targets: Any) -> Tensor:
        """Return the loss to train with, the mean over a batch as a scalar."""

    def tally(self, outputs: Outputs, targets: Any, loss: Tensor | None = None) -> Tensor:
        """Return the sums of the measures over a batch; in training `loss` is given.

        Without it outputs are those of inference, targets are the labels themselves, and the loss
        has neither label smoothing nor auxiliary heads.
        """


@runtime_checkable
class ScoresAll(Protocol):
    """A task whose scores are functions of all outputs at once, not means over images."""

    def scores(self, outputs: Tensor, labels: Tensor) -> Scores:
        """Return the scores of the outputs of inference for all images."""
