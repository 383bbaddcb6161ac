"""What a training is about: what a network owes its labels, and how that is measured."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from torch import Tensor

from archscope.build import Network
from archscope.datasets import Dataset, Images, split
from archscope.ir import Graph

if TYPE_CHECKING:
    from archscope.records.training import Scores
    from archscope.train.loader import Feed
from archscope.train.recipe import Recipe

Outputs = Tensor | dict[str, Tensor]
"""What a network returns: the tensor of its only output, or tensors by the names of outputs."""

Parts = tuple[Images, Images, Images | None]
"""Images to train with, to validate with, and to test with."""


class Task(Protocol):
    """What the loop asks; it knows nothing else of labels."""

    about: dict[str, Any]  # what is needed to make it again, for run.json
    measures: tuple[str, ...]  # what `tally` sums up, `loss` first
    goal: str  # the measure that chooses the best weights; more is better

    def divide(self, dataset: Dataset, recipe: Recipe, seed: int) -> Parts:
        """Return the images to train with, to validate with, and to test with."""

    def check(self, graph: Graph) -> None:
        """Raise OptionError if the network cannot be trained for the task."""

    def begin(self, network: Network, feed: Feed) -> None:
        """Get ready to train a network with the batches of a feed."""

    def targets(self, images: Tensor, labels: Tensor) -> Any:
        """Return what the outputs of a batch of training are compared with."""

    def loss(self, outputs: Outputs, targets: Any) -> Tensor:
        """Return the loss to train with, a scalar: the mean over a batch."""

    def tally(self, outputs: Outputs, targets: Any, loss: Tensor | None = None) -> Tensor:
        """Return the sums of the measures over a batch; `loss` is given where it is known.

        Without it outputs are those of inference, targets are the labels as they come, and the
        loss is the plain one, with neither label smoothing nor auxiliary heads.
        """


@runtime_checkable
class Whole(Protocol):
    """A task whose scores are no means over images: it wants all outputs at once."""

    def scores(self, outputs: Tensor, labels: Tensor) -> Scores:
        """Return the scores of the outputs of inference for all images that are judged by."""


def by_image(dataset: Dataset, recipe: Recipe, seed: int) -> Parts:
    """Return the parts of a data set that all have every class; test images are its own."""
    return *split(dataset.train, recipe.validation, seed), dataset.test
