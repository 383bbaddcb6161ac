"""Data sets of images: sources, splits, augmentation and batches.

The names of data sets, and where their files are, are known without torch, which is loaded with the
first images or the first name that needs it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import archscope.datasets.sources  # noqa: F401  registers them
from archscope.datasets.images import Dataset, Images
from archscope.datasets.lookup import load, names

if TYPE_CHECKING:
    from archscope.datasets.adaptation import Adaptation, fit
    from archscope.datasets.augmentation import Augment
    from archscope.datasets.batches import Batches
    from archscope.datasets.normalization import Statistics, statistics
    from archscope.datasets.splits import split

__all__ = [
    "Adaptation", "Augment", "Batches", "Dataset", "Images", "Statistics",
    "fit", "load", "names", "split", "statistics",
]  # fmt: skip

_WITH_TORCH = {
    "Adaptation": "adaptation", "fit": "adaptation", "Augment": "augmentation",
    "Batches": "batches", "Statistics": "normalization", "statistics": "normalization",
    "split": "splits",
}  # fmt: skip


def __getattr__(name: str) -> Any:
    """Load what needs torch on first use."""
    if name not in _WITH_TORCH:
        raise AttributeError(f"module '{__name__}' has no attribute '{name}'")
    return getattr(import_module(f"{__name__}.{_WITH_TORCH[name]}"), name)
