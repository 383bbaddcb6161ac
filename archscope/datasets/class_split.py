"""Which classes are never trained on, so that others than the known can be told apart."""

from __future__ import annotations

import torch
from msgspec import Struct

from archscope.datasets.images import Dataset, Images
from archscope.datasets.randomness import generator
from archscope.errors import OptionError

PURPOSE = 4
LEAST = 2
"""Classes that it takes to tell apart."""


class Apart(Struct, frozen=True, eq=False):
    """A data set divided by class. Labels of `taught` count from 0; the others' are as before.

    `groups` are the labels of the data set that each part has, ascending.
    """

    taught: Images
    held: Images  # none, if nothing is to be validated
    test: Images
    groups: dict[str, tuple[int, ...]]  # taught, validation, test


def split_classes(dataset: Dataset, unseen: float, validate: bool, seed: int) -> Apart:
    """Return images to train, validate and test with, which have no class in common.

    `unseen` is the share of the classes that are not trained on; a third of those validate, if
    that is wanted, and the rest test. Test images are the test images of their classes, or the
    training images where a data set has no others. Raises OptionError if that leaves too few
    classes, or classes too few images, to be told apart.
    """
    count = len(dataset.classes)
    order: list[int] = generator(seed, PURPOSE).permutation(count).tolist()
    away = round(count * unseen)
    few = max(LEAST, round(away / 3)) if validate else 0
    parts = {
        "taught": order[away:],
        "validation": order[:few],
        "test": order[few:away],
    }
    groups = {name: tuple(sorted(labels)) for name, labels in parts.items()}
    for name, labels in groups.items():
        if len(labels) < LEAST and (validate or name != "validation"):
            raise OptionError(
                f"'{dataset.name}' has {count} classes; with {unseen:g} of them unseen,"
                f" {len(groups['taught'])} to train, {len(groups['validation'])} to validate and"
                f" {len(groups['test'])} to test with, there are not {LEAST} for each"
            )
    source = dataset.train if dataset.test is None else dataset.test
    taught = of_classes(dataset.train, groups["taught"])
    held = of_classes(dataset.train, groups["validation"])
    test = of_classes(source, groups["test"])
    for name, images in (("validation", held), ("test", test)):
        check_pairs(dataset, name, images, groups[name])
    return Apart(_renumbered(taught, groups["taught"]), held, test, groups)


def of_classes(images: Images, labels: tuple[int, ...]) -> Images:
    """Return the images of some classes, in their old order."""
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
