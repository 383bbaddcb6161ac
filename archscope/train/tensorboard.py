"""Scalars of a training for TensorBoard, beside the CSV files of the run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archscope.errors import OptionError
from archscope.records.training import Epoch, Finding, Interval, Scores
from archscope.train.observers import Watcher

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"


class TensorBoard(Watcher):
    """Writes event files into `tensorboard/` of a run folder, which must be there by then."""

    def __init__(self, run: Path) -> None:
        """Raises OptionError if TensorBoard is not installed."""
        try:
            from torch.utils import tensorboard
        except ImportError:
            raise OptionError(
                "--log tensorboard needs TensorBoard: pip install 'archscope[tensorboard]'"
            ) from None
        self._library, self._folder = tensorboard, run / FOLDER
        self._steps = 0
        self._writer: SummaryWriter | None = None

    def begin(self, steps: int, total: int | None) -> None:
        """Remember where the training goes on: what was written after that is taken back."""
        self._steps = steps

    def interval(self, row: Interval) -> None:
        """Write what the steps since the row before came to."""
        self._scores("steps", row.train, row.step)
        self._one("steps/learning_rate", row.learning_rate, row.step)
        self._one("steps/gradient", row.gradient, row.step)
        self._one("steps/images_per_second", row.images_per_second, row.step)

    def epoch(self, row: Epoch) -> None:
        """Write an epoch's scores."""
        self._scores("train", row.train, row.step)
        self._scores("validation", row.validation or {}, row.step)

    def finding(self, one: Finding) -> None:
        """Write a finding as text."""
        self._open().add_text(f"findings/{one.kind}", one.message, one.epoch)

    def close(self) -> None:
        """Put all on the disk."""
        if self._writer is not None:
            self._writer.close()

    def _scores(self, group: str, scores: Scores, step: int) -> None:
        for name, value in scores.items():
            self._one(f"{group}/{name}", value, step)

    def _one(self, name: str, value: float, step: int) -> None:
        self._open().add_scalar(name, value, step)

    def _open(self) -> SummaryWriter:
        if self._writer is None:
            self._writer = self._library.SummaryWriter(self._folder, purge_step=self._steps or None)
        return self._writer
