"""The split of training images into training and validation, stratified by class."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

from archscope.datasets.images import Images
from archscope.datasets.randomness import generator
from archscope.errors import OptionError

Counts = NDArray[np.int64]

PURPOSE = 1  # separates this random stream from that of the batches


def split(images: Images, validation: float, seed: int) -> tuple[Images, Images]:
    """Return the images to train with and those to validate with, in their original order.

    `validation` is the share of the latter, from 0 to below 1. The share holds for each class,
    rounded so that the total is right, and each keeps at least one image to train with. The same
    seed gives the same split. Raises OptionError for a share or seed out of range.
    """
    if not 0 <= validation < 1:
        raise OptionError(f"validation is a share from 0 to below 1, got {validation}")
    labels = images.labels.cpu().numpy()
    counts = np.bincount(labels)
    held = _shares(counts, validation)
    order = generator(seed, PURPOSE).permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]  # by class, in random order within
    rank = np.arange(len(labels)) - np.repeat(np.cumsum(counts) - counts, counts)
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[order] = rank < np.repeat(held, counts)
    return (
        images.take(torch.from_numpy(np.flatnonzero(~chosen))),
        images.take(torch.from_numpy(np.flatnonzero(chosen))),
    )


def _shares(counts: Counts, share: float) -> Counts:
    """Return how many of each class validate: by largest remainder, then by lowest label."""
    exact = counts * share
    held: Counts = np.floor(exact).astype(np.int64)
    rest = round(float(counts.sum() * share)) - int(held.sum())
    for label in np.argsort(held - exact, kind="stable")[: max(rest, 0)]:
        held[label] += 1
    kept: Counts = np.minimum(held, np.maximum(counts - 1, 0))
    return kept
