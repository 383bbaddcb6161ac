"""What a training is about: what a network owes its labels, and how that is measured."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from archscope.ir import Graph

Outputs = Tensor | dict[str, Tensor]
"""What a network returns: the tensor of its only output, or tensors by the names of outputs."""

Scores = dict[str, float]
"""Measures by name, each the mean over images."""


class Task(Protocol):
    """What the loop asks; it knows nothing else of labels."""

    measures: tuple[str, ...]  # what `tally` sums up, `loss` first
    goal: str  # the measure that chooses the best weights; more is better

    def check(self, graph: Graph) -> None:
        """Raise OptionError if the network cannot be trained for the task."""

    def loss(self, outputs: Outputs, labels: Tensor) -> Tensor:
        """Return the loss to train with, a scalar: the mean over a batch."""

    def tally(self, outputs: Outputs, labels: Tensor, loss: Tensor | None = None) -> Tensor:
        """Return the sums of the measures over a batch; `loss` is given where it is known.

        Without it outputs are those of inference, and the loss is the plain one, with
        neither label smoothing nor auxiliary heads.
        """
