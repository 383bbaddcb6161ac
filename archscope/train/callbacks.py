"""Callbacks: what is called while a network trains, such as a progress bar or a log."""

from __future__ import annotations

from typing import Any

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


def _forward(name: str) -> Any:
    def call(self: CallbackList, *args: Any) -> None:
        for callback in self.callbacks:
            getattr(callback, name)(*args)

    return call


class CallbackList(Callback):
    """Calls several callbacks in order."""

    def __init__(self, *callbacks: Callback) -> None:
        self.callbacks = callbacks

    on_begin = _forward("on_begin")
    on_step = _forward("on_step")
    on_interval = _forward("on_interval")
    on_epoch = _forward("on_epoch")
    on_diagnosis = _forward("on_diagnosis")
    close = _forward("close")
