"""Training: recipes, tasks, the training loop, and run folders."""

from __future__ import annotations

from archscope.callable_package import make_callable
from archscope.records.training import Diagnosis, Epoch, Interval, RunSummary
from archscope.train.callbacks import Callback
from archscope.train.recipe import Recipe
from archscope.train.training import resume, train
from archscope.train.training_run import RunResult

__all__ = [
    "Callback", "Diagnosis", "Epoch", "Interval", "Recipe", "RunResult", "RunSummary", "resume",
    "train",
]  # fmt: skip

make_callable(__name__)
