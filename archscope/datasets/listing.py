"""The list of data sets, and the content of a data set, as plain records."""

from __future__ import annotations

from pathlib import Path

from msgspec import Struct

from archscope.datasets.images import Dataset
from archscope.datasets.lookup import find, names
from archscope.datasets.source import DatasetSource, locate


class Listing(Struct, frozen=True):
    """A source of a data set. Values that depend on options or on the user's files are None."""

    name: str
    about: str
    train: int | None
    test: int | None
    shape: tuple[int, int, int] | None
    classes: int | None
    present: bool
    bytes: int | None  # size of the files on disk
    found: str
    places: tuple[str, ...]
    get: str


class ClassCount(Struct, frozen=True):
    """The images of one class."""

    name: str
    train: int
    test: int | None
    validation: int | None = None


class Contents(Struct, frozen=True):
    """The content of a data set; mean and deviation are of all training pixels, from 0 to 1."""

    name: str
    about: str
    shape: tuple[int, int, int]
    train: int
    test: int | None
    classes: tuple[ClassCount, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]
    digest: str
    validation: int | None = None


def listing(folder: Path | None = None) -> tuple[Listing, ...]:
    """Return every source and whether its files exist, without reading them."""
    return tuple(_listed(find(name), folder) for name in names())


def _listed(cls: type[DatasetSource], folder: Path | None) -> Listing:
    train, test = cls.images or (None, None)
    places: tuple[Path, ...] = ()
    size = None
    present = True
    if cls.argument:  # any folder may be meant
        found = f"{cls.name}:{cls.argument.upper()}"
    elif not cls.places(None):
        found = "included"
    else:
        places = cls.places(folder)
        located = locate(cls, folder)
        present = located is not None
        size = sum(path.stat().st_size for path in located[1]) if located else None
        found = str(located[0]) if located else "no"
    return Listing(
        cls.name, cls.about, train, test, cls.shape, cls.classes,
        present, size, found, tuple(map(str, places)), cls.get,
    )  # fmt: skip


def contents(dataset: Dataset) -> Contents:
    """Return the content of a data set."""
    import torch

    from archscope.datasets.normalization import statistics

    measured = statistics(dataset.train)
    counts = [
        [None] * len(dataset.classes)
        if part is None
        else torch.bincount(part.labels, minlength=len(dataset.classes)).tolist()
        for part in (dataset.train, dataset.test, dataset.validation)
    ]
    return Contents(
        name=dataset.name,
        about=dataset.about,
        shape=dataset.train.shape,
        train=len(dataset.train),
        test=None if dataset.test is None else len(dataset.test),
        classes=tuple(map(ClassCount, dataset.classes, *counts)),
        mean=measured.mean,
        std=measured.std,
        digest=dataset.digest,
        validation=None if dataset.validation is None else len(dataset.validation),
    )
