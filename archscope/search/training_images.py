"""The images that candidates are trained and validated on."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from math import ceil
from pathlib import Path

import torch
from msgspec import Struct, structs

from archscope.datasets import Dataset, load, split
from archscope.errors import OptionError

LEAST_VALIDATED = 334
"""Number of validation images at which each is less than 0.3 points of accuracy."""

MOST_VALIDATED = 2000
"""Number of validation images at which the score of a brief training is accurate enough."""

LARGEST_SHARE = 0.25
"""The most validation images, as a share; a training set too small for it is split repeatedly."""

MOST_SPLITS = 20


class TrainingImages(Struct, frozen=True, eq=False):
    """A data set for training candidates."""

    dataset: Dataset
    validation: float  # share of its training images for validation in each split
    splits: int  # trainings per candidate, each with another split; the score is their mean
    chance: float  # accuracy of always guessing the most frequent class


@lru_cache(maxsize=2)
def load_images(
    name: str, folder: str | None, images: int, share: float | None, seed: int
) -> TrainingImages:
    """Return the `training_images` of a data set by name. Raises ArchscopeError."""
    return training_images(_data(name, folder), images, share, seed)


@lru_cache(maxsize=1)
def _data(name: str, folder: str | None) -> Dataset:
    return load(name, None if folder is None else Path(folder))


def training_images(data: Dataset, images: int, share: float | None, seed: int) -> TrainingImages:
    """Return at most `images` images to train on (0: all), and enough to validate with.

    `share` of the training images are for validation; with None it is a tenth, or as many as it
    takes for one image to be less than 0.3 points of accuracy, at most a quarter, and no more than
    that where they are more than half of `images`. If that is too few, there are several splits.
    Classes have the same shares in every part; `seed` decides which images are in it. Test images
    are not used: no score depends on them. Raises OptionError if there are no validation images.
    """
    count = len(data.train)
    validated = round(count * (0.1 if share is None else share))
    if share is None:
        enough = min(LEAST_VALIDATED, int(count * LARGEST_SHARE))
        most = max(LEAST_VALIDATED, images // 2) if images else MOST_VALIDATED
        validated = min(max(validated, enough), most, MOST_VALIDATED)
    if not validated:
        raise OptionError(
            f"'{data.name}' has {count} images to train with, of which none validates; networks are"
            " compared on validation images (knob validation)"
        )
    chance = float(torch.bincount(data.train.labels).max()) / count
    used = min(count, (images or count) + validated)
    if used < count:
        digest = hashlib.sha256(f"{data.digest}/{used}/{seed}".encode()).hexdigest()
        part, _ = split(data.train, 1 - used / count, seed)
        data = structs.replace(data, train=part, digest=digest)
    data = structs.replace(data, test=None, validation=None)
    splits = min(max(1, ceil(LEAST_VALIDATED / validated)), MOST_SPLITS)
    return TrainingImages(data, validated / len(data.train), splits, chance)
