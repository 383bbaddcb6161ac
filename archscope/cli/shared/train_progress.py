"""Progress of a training on standard error: a bar on a terminal, lines elsewhere."""

from __future__ import annotations

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from archscope.cli.shared.process import interrupt, note
from archscope.cli.shared.terminal import is_quiet, say
from archscope.records.training import Diagnosis, Epoch, Interval, Scores
from archscope.train.callbacks import Callback, CallbackList


class ProgressLines(Callback):
    """Prints a line for each interval, epoch and diagnosis."""

    def on_interval(self, row: Interval) -> None:
        """Print an interval."""
        self.print(
            f"epoch {row.epoch}  step {row.step}  {scores(row.train)}"
            f"  lr {row.learning_rate:.2e}  {row.images_per_second:.0f} images/s"
        )

    def on_epoch(self, row: Epoch) -> None:
        """Print an epoch."""
        held = f"  validation {scores(row.validation)}" if row.validation else ""
        self.print(
            f"epoch {row.epoch} done  train {scores(row.train)}{held}"
            f"  {row.images_per_second:.0f} images/s"
        )

    def on_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Print a diagnosis."""
        self.print(f"warning: {diagnosis.message}")

    def print(self, text: str) -> None:
        """Print a line."""
        say(text)


class ProgressBar(ProgressLines):
    """Shows a bar with the remaining time, below a line for each epoch and diagnosis."""

    def __init__(self) -> None:
        from rich.console import Console
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
        )

        self.progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("ETA"),
            TimeRemainingColumn(),
            TextColumn("{task.fields[scores]}"),
            console=Console(stderr=True, highlight=False),
            transient=True,
        )
        self.task: Any = None

    def on_begin(self, steps: int, total: int | None) -> None:
        """Show the bar."""
        self.progress.start()
        self.task = self.progress.add_task("training", completed=steps, total=total, scores="")

    def on_step(self) -> None:
        """Advance the bar."""
        self.progress.advance(self.task)

    def on_interval(self, row: Interval) -> None:
        """Show the scores of an interval next to the bar."""
        self.progress.update(self.task, description=f"epoch {row.epoch}", scores=scores(row.train))

    def print(self, text: str) -> None:
        """Print a line above the bar."""
        self.progress.console.print(text, markup=False)

    def close(self) -> None:
        """Remove the bar."""
        self.progress.stop()


@contextmanager
def attended(log: str | None, run: Path) -> Iterator[tuple[Callback, Callable[[], bool]]]:
    """Yield a callback that shows the progress of a training, and a function: stop it now?

    The first Ctrl-C asks the training to stop, the second interrupts it at once. `log` names a
    log format to write into the run folder.
    """
    signals: list[int] = []

    def request_stop(number: int, frame: Any) -> None:
        if signals:
            interrupt(number)
        signals.append(number)
        note(number)

    shown = ProgressBar if sys.stderr.isatty() else ProgressLines
    progress = Callback() if is_quiet() else shown()
    if log is not None:
        from archscope.train.tensorboard import TensorBoard  # the only log format

        progress = CallbackList(progress, TensorBoard(run))
    before = {
        number: signal.signal(number, request_stop) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        yield progress, lambda: bool(signals)
    finally:
        progress.close()
        for number, handler in before.items():
            signal.signal(number, handler)


def scores(measures: Scores) -> str:
    """Format measures for people: `loss 0.312  top1 90.4 %`."""
    return "  ".join(
        f"{name} {value:.4g}" if name == "loss" else f"{name} {100 * value:.1f} %"
        for name, value in measures.items()
    )
