"""Training: data, loss, loop, metrics."""

from __future__ import annotations

from archscope.train.recipe import Recipe
from archscope.train.records import Epoch, Finding, Interval, Summary
from archscope.train.training import RunResult, resume, train
from archscope.train.watch import Watcher

__all__ = [
    "Epoch", "Finding", "Interval", "Recipe", "RunResult", "Summary", "Watcher", "resume", "train",
]  # fmt: skip
