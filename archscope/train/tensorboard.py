"""A callback that writes scalars for TensorBoard."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from archscope.records.training import Diagnosis, Epoch, Interval, Scores
from archscope.train.callbacks import Callback

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FOLDER = "tensorboard"


class TensorBoard(Callback):
    """Writes event files into `tensorboard/` of a run folder."""

    def __init__(self, run: Path) -> None:
        """Take the folder of a run."""
        from torch.utils import tensorboard

        self._library, self._folder = tensorboard, run / FOLDER
        self._steps = 0
        self._writer: SummaryWriter | None = None

    def on_begin(self, steps: int, total: int | None) -> None:
        """Note the step that training resumes from: later events are discarded."""
        self._steps = steps

    def on_interval(self, row: Interval) -> None:
        """Write the scores of an interval of steps."""
        self._scores("steps", row.train, row.step)
        self._scalar("steps/learning_rate", row.learning_rate, row.step)
        self._scalar("steps/gradient", row.gradient, row.step)
        self._scalar("steps/images_per_second", row.images_per_second, row.step)

    def on_epoch(self, row: Epoch) -> None:
        """Write the scores of an epoch."""
        self._scores("train", row.train, row.step)
        self._scores("validation", row.validation or {}, row.step)

    def on_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Write a diagnosis as text."""
        self._open().add_text(f"findings/{diagnosis.kind}", diagnosis.message, diagnosis.epoch)

    def close(self) -> None:
        """Write what is buffered."""
        if self._writer is not None:
            self._writer.close()

    def _scores(self, group: str, scores: Scores, step: int) -> None:
        for name, value in scores.items():
            self._scalar(f"{group}/{name}", value, step)

    def _scalar(self, name: str, value: float, step: int) -> None:
        self._open().add_scalar(name, value, step)

    def _open(self) -> SummaryWriter:
        if self._writer is None:
            self._writer = self._library.SummaryWriter(self._folder, purge_step=self._steps or None)
        return self._writer
