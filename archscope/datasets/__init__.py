"""Data sets of images: sources, splits, augmentation and batches."""

from __future__ import annotations

import archscope.datasets.sources  # noqa: F401  registers them
from archscope.datasets.adaptation import Adaptation, fit
from archscope.datasets.augmentation import Augment
from archscope.datasets.batches import Batches
from archscope.datasets.images import Dataset, Images
from archscope.datasets.lookup import load, names
from archscope.datasets.normalization import Statistics, statistics
from archscope.datasets.splits import split

__all__ = [
    "Adaptation", "Augment", "Batches", "Dataset", "Images", "Statistics",
    "fit", "load", "names", "split", "statistics",
]  # fmt: skip
