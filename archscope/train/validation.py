"""Validation after each epoch: the scores of the weights, and which weights are the best."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

from msgspec import structs

from archscope.records.training import Epoch
from archscope.train.device import Arithmetic
from archscope.train.distributed import Processes
from archscope.train.evaluation import evaluate
from archscope.train.interpolated_weights import SHARES
from archscope.train.loader import TrainingLoader
from archscope.train.state import TrainingState
from archscope.train.tasks import Task

FEW = 100
"""With fewer validation images, each is more than a hundredth of the accuracy."""


class Validation:
    """Scores the network of a training, or the best of the weights that it interpolates."""

    def __init__(
        self,
        state: TrainingState,
        task: Task,
        loader: TrainingLoader,
        how: Arithmetic,
        processes: Processes,
    ) -> None:
        self.state, self.task, self.loader = state, task, loader
        self.how, self.processes = how, processes

    def validated(self, row: Epoch) -> Epoch:
        """Return the row of the current epoch with scores, if there are validation images."""
        if self.loader.validation is None:
            return row
        if self.state.interpolated is None:
            return self._scored(row)
        # After the first epoch the best is at least as good as the weights before training.
        shares = SHARES if self.state.best is None else SHARES[:-1]
        best: Epoch | None = None
        for share in shares:
            found = self._scored(structs.replace(row, interpolation=share))
            if self.is_better(found, best):
                best = found
        assert best is not None
        return best

    def weights_of(self, row: Epoch) -> AbstractContextManager[None]:
        """Give the network the weights that a row of the current epoch is about."""
        if self.state.interpolated is None or row.interpolation is None:
            return nullcontext()
        return self.state.interpolated.applied(self.state.model, row.interpolation)

    def is_better(self, row: Epoch, best: Epoch | None) -> bool:
        """Return whether a row beats another: by the goal, then by the loss.

        With few validation images the loss decides, as single images are chance.
        """
        if best is None or not row.validation or not best.validation:
            return True
        ours, theirs = row.validation, best.validation
        goal = self.task.goal
        if "loss" not in ours:
            return ours[goal] > theirs[goal]
        if self.loader.validated < FEW:
            return (ours["loss"], -ours[goal]) < (theirs["loss"], -theirs[goal])
        return (ours[goal], -ours["loss"]) > (theirs[goal], -theirs["loss"])

    def _scored(self, row: Epoch) -> Epoch:
        assert self.loader.validation is not None
        with self.weights_of(row):
            scores = evaluate(
                self.state.model, self.task, self.loader.validation, self.how, self.processes
            )
        return structs.replace(row, validation=scores)
