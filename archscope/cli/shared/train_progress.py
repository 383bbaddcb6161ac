"""What a person sees while a network trains: a bar where someone looks, lines elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from archscope.records.training import Epoch, Finding, Interval, Scores
from archscope.train.observers import Watcher, Watchers


class Lines(Watcher):
    """A line on standard error for each interval, epoch and finding."""

    def interval(self, row: Interval) -> None:
        """Print an interval."""
        self.say(
            f"epoch {row.epoch}  step {row.step}  {scores(row.train)}"
            f"  lr {row.learning_rate:.2e}  {row.images_per_second:.0f} images/s"
        )

    def epoch(self, row: Epoch) -> None:
        """Print an epoch."""
        held = f"  validation {scores(row.validation)}" if row.validation else ""
        self.say(
            f"epoch {row.epoch} done  train {scores(row.train)}{held}"
            f"  {row.images_per_second:.0f} images/s"
        )

    def finding(self, one: Finding) -> None:
        """Print a finding."""
        self.say(f"warning: {one.message}")

    def say(self, text: str) -> None:
        """Print a line."""
        click.echo(text, err=True)


class Bar(Lines):
    """A bar with the time that is left, below a line for each epoch and finding."""

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

    def begin(self, steps: int, total: int | None) -> None:
        """Show the bar."""
        self.progress.start()
        self.task = self.progress.add_task("training", completed=steps, total=total, scores="")

    def step(self) -> None:
        """Move the bar."""
        self.progress.advance(self.task)

    def interval(self, row: Interval) -> None:
        """Show an interval's scores behind the bar."""
        self.progress.update(self.task, description=f"epoch {row.epoch}", scores=scores(row.train))

    def say(self, text: str) -> None:
        """Print a line above the bar."""
        self.progress.console.print(text, markup=False)

    def close(self) -> None:
        """Take the bar away."""
        self.progress.stop()


def watcher(quiet: bool, log: str | None = None, run: Path | None = None) -> Watcher:
    """Return who tells the user how it goes, and who writes a log of that name into the run."""
    shown = Watcher() if quiet else Bar() if sys.stderr.isatty() else Lines()
    if log is None or run is None:
        return shown
    from archscope.train.tensorboard import TensorBoard  # the one log that there is

    return Watchers(shown, TensorBoard(run))


def scores(measures: Scores) -> str:
    """Return measures as people read them: `loss 0.312  top1 90.4 %`."""
    return "  ".join(
        f"{name} {value:.4g}" if name == "loss" else f"{name} {100 * value:.1f} %"
        for name, value in measures.items()
    )
