"""Images to train with: where they come from, how they are split, and batches of them."""

from __future__ import annotations

import archscope.train.data.sources  # noqa: F401  registers them
from archscope.train.data.adaptation import Adaptation, fit
from archscope.train.data.augmentation import Augment
from archscope.train.data.division import split
from archscope.train.data.feed import Batches
from archscope.train.data.images import Dataset, Images
from archscope.train.data.lookup import load, names
from archscope.train.data.standard import Statistics, statistics

__all__ = [
    "Adaptation", "Augment", "Batches", "Dataset", "Images", "Statistics",
    "fit", "load", "names", "split", "statistics",
]  # fmt: skip
