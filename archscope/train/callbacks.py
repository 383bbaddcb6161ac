"""Callbacks: what is called while a network trains, such as a progress bar or a log."""

from __future__ import annotations

from archscope.records.training import Diagnosis, Epoch, Interval


class Callback:
    """Base of all callbacks; its methods do nothing."""

    def on_begin(self, steps: int, total: int | None) -> None:
        """Training begins, or resumes after `steps` steps, of `total` if that is known."""

    def on_step(self) -> None:
        """A step is done."""

    def on_interval(self, row: Interval) -> None:
        """Another interval of steps is measured."""

    def on_epoch(self, row: Epoch) -> None:
        """Another epoch is measured."""

    def on_diagnosis(self, diagnosis: Diagnosis) -> None:
        """A problem inside the network is detected for the first time."""

    def close(self) -> None:
        """The training is over, however it ended."""


class CallbackList(Callback):
    """Calls several callbacks in order."""

    def __init__(self, *callbacks: Callback) -> None:
        self.callbacks = callbacks

    def on_begin(self, steps: int, total: int | None) -> None:
        """Pass on that training begins."""
        for callback in self.callbacks:
            callback.on_begin(steps, total)

    def on_step(self) -> None:
        """Pass on a step."""
        for callback in self.callbacks:
            callback.on_step()

    def on_interval(self, row: Interval) -> None:
        """Pass on an interval."""
        for callback in self.callbacks:
            callback.on_interval(row)

    def on_epoch(self, row: Epoch) -> None:
        """Pass on an epoch."""
        for callback in self.callbacks:
            callback.on_epoch(row)

    def on_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Pass on a diagnosis."""
        for callback in self.callbacks:
            callback.on_diagnosis(diagnosis)

    def close(self) -> None:
        """Pass on the end."""
        for callback in self.callbacks:
            callback.close()
