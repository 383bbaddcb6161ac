"""Splits of a data set: stratified for validation, and by class for metric learning."""

from __future__ import annotations

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray

from archscope.datasets.images import Dataset, Images
from archscope.datasets.randomness import generator, shuffled_by_class
from archscope.errors import OptionError

Counts = NDArray[np.int64]

PURPOSE, CLASS_PURPOSE = 1, 4  # separate these random streams from that of the batches
LEAST = 2
"""Classes that each part of a split by class needs."""

PARTED = 6
"""Unseen classes from which on some validate and others test; two or three say little alone."""

VALIDATED = 2000
"""Most images that validate a split by class: each epoch embeds them."""


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
    order, rank = shuffled_by_class(labels, generator(seed, PURPOSE))
    chosen = np.zeros(len(labels), dtype=bool)
    chosen[order] = rank < np.repeat(_shares(counts, validation), counts)
    train, held = (
        images.take(torch.from_numpy(np.flatnonzero(part))) for part in (~chosen, chosen)
    )
    return train, held


def split_dataset(dataset: Dataset, validation: float, seed: int) -> tuple[Images, Images]:
    """Return the images to train with and those to validate with.

    The latter are the data set's own, or a share of its training images as `split` takes them;
    with a share of 0 there are none. Raises OptionError for a share or seed out of range.
    """
    if dataset.validation is None or not validation:
        return split(dataset.train, validation, seed)
    return dataset.train, dataset.validation


def _shares(counts: Counts, share: float) -> Counts:
    """Return how many of each class validate: by largest remainder, then by lowest label."""
    exact = counts * share
    held: Counts = np.floor(exact).astype(np.int64)
    rest = round(float(counts.sum() * share)) - int(held.sum())
    for label in np.argsort(held - exact, kind="stable")[: max(rest, 0)]:
        held[label] += 1
    kept: Counts = np.minimum(held, np.maximum(counts - 1, 0))
    return kept


class ClassSplit(Struct, frozen=True, eq=False):
    """A data set whose parts share no class with `train`, where labels count from 0.

    `classes` are the labels of the data set in each part, ascending. Validation and test may be
    different images of the same classes.
    """

    train: Images
    validation: Images  # empty if nothing is to be validated
    test: Images
    classes: dict[str, tuple[int, ...]]  # taught, validation, test

    @property
    def shared(self) -> bool:
        """Whether validation and test images are of the same classes."""
        return self.classes["validation"] == self.classes["test"]


def split_classes(dataset: Dataset, unseen: float, validate: bool, seed: int) -> ClassSplit:
    """Return images to train with, and images of other classes to validate and test with.

    `unseen` is the share of the classes that are not trained on; with `validate` a third of those
    validate and the rest test. Of fewer than 6 all validate and all test, by different images.
    Test images come from the test split of the data set, or from its training split if it has no
    other. Raises OptionError if a part has too few classes, or a class too few images.
    """
    count = len(dataset.classes)
    order: list[int] = generator(seed, CLASS_PURPOSE).permutation(count).tolist()
    unseen_count = round(count * unseen)
    validated = round(unseen_count / 3) if validate else 0
    shared = validate and unseen_count < PARTED
    parts = {
        "taught": order[unseen_count:],
        "validation": order[: unseen_count if shared else validated],
        "test": order[0 if shared else validated : unseen_count],
    }
    classes = {name: tuple(sorted(labels)) for name, labels in parts.items()}
    for name, labels in classes.items():
        if len(labels) < LEAST and (validate or name != "validation"):
            raise OptionError(
                f"'{dataset.name}' has {count} classes; with {unseen:g} of them unseen,"
                f" {len(classes['taught'])} to train, {len(classes['validation'])} to validate and"
                f" {len(classes['test'])} to test with, there are not {LEAST} for each"
            )
    source = dataset.train if dataset.test is None else dataset.test
    taught = classes["taught"]
    train = of_classes(dataset.train, taught)
    validation = of_classes(dataset.train, classes["validation"])
    test = of_classes(source, classes["test"])
    if shared and dataset.test is None:
        test, validation = split(validation, 0.5, seed)
    validation = evenly(validation, VALIDATED)
    for name, images in (("validation", validation), ("test", test)):
        check_pairs(dataset, name, images, classes[name])
    labels_from_0 = torch.searchsorted(torch.tensor(taught), train.labels)
    train = Images(train.images, labels_from_0, len(taught))
    return ClassSplit(train, validation, test, classes)


def evenly(images: Images, most: int) -> Images:
    """Return at most `most` images, taken evenly from each class."""
    order = torch.argsort(images.labels, stable=True)
    step = max(1, -(-len(order) // most))
    return images.take(order[::step].sort().values) if step > 1 else images


def of_classes(images: Images, labels: tuple[int, ...]) -> Images:
    """Return the images with these labels, in their original order."""
    return images.take(torch.isin(images.labels, torch.tensor(labels)).nonzero()[:, 0])


def check_pairs(dataset: Dataset, part: str, images: Images, labels: tuple[int, ...]) -> None:
    """Raise OptionError unless each of these classes has images for a pair."""
    counts = torch.bincount(images.labels, minlength=len(dataset.classes)).tolist()
    for label in labels:
        if counts[label] < 2:
            raise OptionError(
                f"class '{dataset.classes[label]}' of '{dataset.name}' has {counts[label]} images"
                f" for {part}, and it takes 2 to make a pair"
            )
