"""CIFAR-10 and CIFAR-100: the official archives, binary or python, unpacked or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from msgspec import Struct
from numpy.typing import NDArray

from archscope.datasets import restricted_pickle
from archscope.datasets.archives import LIMIT, check_sum, members, raw
from archscope.datasets.images import Dataset, Images, dataset
from archscope.errors import DataError

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32


class ArchiveFormat(Struct, frozen=True):
    """One of the two formats in which a data set is distributed.

    `sums` has published md5 by file name: of the archive, and of files in it where they are known.
    """

    archive: str
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str
    sums: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all files that are read."""
        return (*self.train, *self.test, self.meta)


class CifarLayout(Struct, frozen=True):
    """A data set in both formats, and where each has its labels."""

    binary: ArchiveFormat
    python: ArchiveFormat
    label_bytes: int  # of a binary record; the last one is the label
    label_key: str
    names_key: str
    classes: int
    train: int
    test: int


def files(layout: CifarLayout, place: Path) -> tuple[Path, ...] | str:
    """Return the files of the first format that a folder holds, or why it holds none."""
    if not place.is_dir():
        return "no such folder"
    incomplete = ""
    for form in (layout.binary, layout.python):
        for folder in (place, place / form.folder):
            paths = tuple(folder / name for name in form.names)
            missing = [path.name for path in paths if not path.is_file()]
            if not missing:
                return paths
            if len(missing) < len(paths):
                incomplete = f"lacks {missing[0]}"
    for form in (layout.binary, layout.python):
        if (place / form.archive).is_file():
            return (place / form.archive,)
    return incomplete or f"has neither {layout.python.archive} nor {layout.binary.archive}"


def read(layout: CifarLayout, paths: Sequence[Path], name: str, about: str) -> Dataset:
    """Return the data set that an archive or unpacked files hold.

    Raises DataError for files that are not whole, not the official ones where their md5 is
    known, or do not hold what they should.
    """
    form = next(
        form
        for form in (layout.binary, layout.python)
        if paths[0].name == form.archive or paths[-1].name == form.meta
    )
    if len(paths) == 1:
        packed = raw(paths[0])
        if form.archive in form.sums:
            check_sum(packed, form.sums[form.archive], paths[0])
        held = members(packed, paths[0], form.names)
        missing = [name for name in form.names if name not in held]
        if missing:
            raise DataError(f"'{paths[0]}' holds no {missing[0]}")
        where = {name: paths[0] / name for name in form.names}
    else:
        held = {path.name: raw(path, LIMIT) for path in paths}
        where = {path.name: path for path in paths}
        for path in paths:
            if path.name in form.sums:
                check_sum(held[path.name], form.sums[path.name], path)
    take = _binary if form is layout.binary else _pickled
    parts = [
        _images([take(layout, held[name], where[name]) for name in names], count, where[names[0]])
        for names, count in ((form.train, layout.train), (form.test, layout.test))
    ]
    classes = _classes(layout, form, held[form.meta], where[form.meta])
    return dataset(name, parts[0], parts[1], classes, about)


Arrays = tuple[NDArray[np.uint8], NDArray[np.int64]]


def _binary(layout: CifarLayout, data: bytes, path: Path) -> Arrays:
    """Return pixels (n, 3072) and labels (n,) of records: labels, then red, green and blue."""
    size = layout.label_bytes + PIXELS
    if not data or len(data) % size:
        raise DataError(f"'{path}' should hold records of {size:,} bytes, has {len(data):,} bytes")
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, size)
    labels = records[:, layout.label_bytes - 1].astype(np.int64)
    return records[:, layout.label_bytes :], _checked(labels, layout, path)


def _pickled(layout: CifarLayout, data: bytes, path: Path) -> Arrays:
    """Return pixels (n, 3072) and labels (n,) of a python batch."""
    batch = restricted_pickle.mapping(data, path)
    pixels, labels = batch.get("data"), batch.get(layout.label_key)
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != PIXELS:
        raise DataError(f"'{path}' should hold pixels (n, {PIXELS}) under 'data'")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataError(f"'{path}' should hold a list of numbers under '{layout.label_key}'")
    if len(labels) != len(pixels):
        raise DataError(f"'{path}' holds {len(pixels):,} images and {len(labels):,} labels")
    wrong = [label for label in labels if not 0 <= label < layout.classes]
    return pixels, _checked(np.array(wrong[:1] or labels, dtype=object), layout, path)


def _checked(labels: Any, layout: CifarLayout, path: Path) -> Any:
    """Return labels as int64, all of them those of a class."""
    wrong = [label for label in (labels.min(), labels.max()) if not 0 <= label < layout.classes]
    if wrong:
        raise DataError(f"'{path}' has label {wrong[0]}, expected 0 to {layout.classes - 1}")
    return labels.astype(np.int64)


def _images(arrays: Sequence[Arrays], count: int, path: Path) -> Images:
    pixels = np.concatenate([pixels for pixels, _ in arrays])
    if len(pixels) != count:
        raise DataError(f"'{path}' and its like should hold {count:,} images, hold {len(pixels):,}")
    return Images(
        torch.from_numpy(pixels.reshape(-1, *SHAPE)),
        torch.from_numpy(np.concatenate([labels for _, labels in arrays])),
    )


def _classes(layout: CifarLayout, form: ArchiveFormat, data: bytes, path: Path) -> tuple[str, ...]:
    """Return the names of the classes, which come with the images."""
    if form is layout.binary:
        names = tuple(data.decode("latin-1").split())
    else:
        listed = restricted_pickle.mapping(data, path).get(layout.names_key)
        if not isinstance(listed, list) or not all(
            isinstance(name, bytes | str) for name in listed
        ):
            raise DataError(f"'{path}' should hold a list of names under '{layout.names_key}'")
        names = tuple(
            name.decode("latin-1") if isinstance(name, bytes) else name for name in listed
        )
    if len(names) != layout.classes:
        raise DataError(f"'{path}' names {len(names)} classes, expected {layout.classes}")
    return names
