"""Callbacks that observe a training, such as a progress bar or a log."""

from __future__ import annotations

from typing import Any

from archscope.records.training import Diagnosis, Epoch, Interval


class Callback:
    """Base class of all callbacks; its methods do nothing."""

    def on_begin(self, steps: int, total: int | None) -> None:
        """Called when training begins, or resumes after `steps` steps of `total` (if known)."""

    def on_step(self) -> None:
        """Called after each step."""

    def on_interval(self, row: Interval) -> None:
        """Called after each measured interval of steps."""

    def on_epoch(self, row: Epoch) -> None:
        """Called after each epoch."""

    def on_diagnosis(self, diagnosis: Diagnosis) -> None:
        """Called when a problem inside the network is first detected."""

    def close(self) -> None:
        """Called at the end of training, however it ended."""


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
