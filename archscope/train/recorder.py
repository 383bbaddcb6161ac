"""What records the results of a training: rows, weights and checkpoints."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from archscope.records.training import Epoch, Interval

Weights = dict[str, Tensor]


class Recorder:
    """Keeps the best weights in memory and nothing else; a run folder writes everything."""

    def __init__(self) -> None:
        self.weights: Weights = {}

    def write_interval(self, row: Interval) -> None:
        """Record an interval of steps."""

    def write_epoch(self, row: Epoch) -> None:
        """Record an epoch."""

    def write_best(self, weights: Weights, row: Epoch) -> None:
        """Record the weights of the best epoch so far."""
        self.weights = {name: tensor.detach().clone() for name, tensor in weights.items()}

    def write_last(self, weights: Weights, row: Epoch) -> None:
        """Record the weights that an epoch ended with."""

    def write_checkpoint(self, state: dict[str, Any]) -> None:
        """Record the state that training can resume from."""

    def write_summary(self) -> None:
        """Record the summary of this moment."""

    def best_weights(self) -> Weights:
        """Return the weights of the best epoch so far; empty before the first."""
        return self.weights
