"""A split of a data set by class, for metric learning: no part shares a class with another."""

from __future__ import annotations

import torch
from msgspec import Struct

from archscope.datasets.images import Dataset, Images
from archscope.datasets.randomness import generator
from archscope.errors import OptionError

PURPOSE = 4
LEAST = 2
"""Classes that each part needs."""


class ClassSplit(Struct, frozen=True, eq=False):
    """A data set divided by class. Labels of `train` count from 0; the others are unchanged.

    `classes` are the labels of the data set in each part, ascending.
    """

    train: Images
    validation: Images  # empty if nothing is to be validated
    test: Images
    classes: dict[str, tuple[int, ...]]  # taught, validation, test


def split_classes(dataset: Dataset, unseen: float, validate: bool, seed: int) -> ClassSplit:
    """Return images to train, validate and test with, which have no class in common.

    `unseen` is the share of the classes that are not trained on; with `validate` a third of those
    validate and the rest test. Test images come from the test split of the data set, or from its
    training split if it has no other. Raises OptionError if a part has too few classes, or a
    class too few images.
    """
    count = len(dataset.classes)
    order: list[int] = generator(seed, PURPOSE).permutation(count).tolist()
    unseen_count = round(count * unseen)
    validated = max(LEAST, round(unseen_count / 3)) if validate else 0
    parts = {
        "taught": order[unseen_count:],
        "validation": order[:validated],
        "test": order[validated:unseen_count],
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
    train = of_classes(dataset.train, classes["taught"])
    validation = of_classes(dataset.train, classes["validation"])
    test = of_classes(source, classes["test"])
    for name, images in (("validation", validation), ("test", test)):
        check_pairs(dataset, name, images, classes[name])
    return ClassSplit(_renumbered(train, classes["taught"]), validation, test, classes)


def of_classes(images: Images, labels: tuple[int, ...]) -> Images:
    """Return the images of some classes, in their original order."""
    return images.take(torch.isin(images.labels, torch.tensor(labels)).nonzero()[:, 0])


def _renumbered(images: Images, labels: tuple[int, ...]) -> Images:
    """Return the same images with labels that count from 0."""
    places = torch.searchsorted(torch.tensor(labels), images.labels)
    return Images(images.images, places, len(labels))


def check_pairs(dataset: Dataset, part: str, images: Images, labels: tuple[int, ...]) -> None:
    """Raise OptionError unless each of these classes has images for a pair."""
    counts = torch.bincount(images.labels, minlength=len(dataset.classes)).tolist()
    for label in labels:
        if counts[label] < 2:
            raise OptionError(
                f"class '{dataset.classes[label]}' of '{dataset.name}' has {counts[label]} images"
                f" for {part}, and it takes 2 to make a pair"
            )
