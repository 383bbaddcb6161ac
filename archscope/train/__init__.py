"""Training: data, loss, loop, metrics."""

from __future__ import annotations

from archscope.records.training import Epoch, Finding, Interval, Summary
from archscope.train.observers import Watcher
from archscope.train.recipe import Recipe
from archscope.train.training import RunResult, resume, train

__all__ = [
    "Epoch", "Finding", "Interval", "Recipe", "RunResult", "Summary", "Watcher", "resume", "train",
]  # fmt: skip
