"""CIFAR-10 and CIFAR-100: the official archives, binary or python, unpacked or not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from msgspec import Struct

from archscope.datasets.archives import check_sum, members, raw
from archscope.datasets.images import Dataset, Images, dataset
from archscope.datasets.source import DatasetSource, register
from archscope.errors import DataError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Arrays = tuple[NDArray[np.uint8], NDArray[np.int64]]

SHAPE = (3, 32, 32)
PIXELS = 3 * 32 * 32
DOWNLOAD = (
    "download {0}-python.tar.gz or {0}-binary.tar.gz from"
    " https://www.cs.toronto.edu/~kriz/cifar.html"
)


class ArchiveFormat(Struct, frozen=True):
    """One of the two formats in which a data set is distributed.

    `sums` has published md5 sums by file name: of the archive, and of files in it if known.
    """

    archive: str
    folder: str
    train: tuple[str, ...]
    test: tuple[str, ...]
    meta: str
    sums: dict[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all files to read."""
        return (*self.train, *self.test, self.meta)


class CifarLayout(Struct, frozen=True):
    """The layout of a data set in both formats, including the place of labels."""

    binary: ArchiveFormat
    python: ArchiveFormat
    label_bytes: int  # of a binary record; the last one is the label
    label_key: str
    names_key: str
    classes: int
    train: int = 50_000
    test: int = 10_000


CIFAR10 = CifarLayout(
    binary=ArchiveFormat(
        archive="cifar-10-binary.tar.gz",
        folder="cifar-10-batches-bin",
        train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
        test=("test_batch.bin",),
        meta="batches.meta.txt",
        sums={"cifar-10-binary.tar.gz": "c32a1d4ab5d03f1284b67883e8d87530"},
    ),
    python=ArchiveFormat(
        archive="cifar-10-python.tar.gz",
        folder="cifar-10-batches-py",
        train=tuple(f"data_batch_{number}" for number in range(1, 6)),
        test=("test_batch",),
        meta="batches.meta",
        sums={
            "cifar-10-python.tar.gz": "c58f30108f718f92721af3b95e74349a",
            "data_batch_1": "c99cafc152244af753f735de768cd75f",
            "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
            "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
            "data_batch_4": "634d18415352ddfa80567beed471001a",
            "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
            "test_batch": "40351d587109b95175f43aff81a1287e",
            "batches.meta": "5ff9c542aee3614f3951f8cda6e48888",
        },
    ),
    label_bytes=1,
    label_key="labels",
    names_key="label_names",
    classes=10,
)

CIFAR100 = CifarLayout(
    binary=ArchiveFormat(
        archive="cifar-100-binary.tar.gz",
        folder="cifar-100-binary",
        train=("train.bin",),
        test=("test.bin",),
        meta="fine_label_names.txt",
        sums={"cifar-100-binary.tar.gz": "03b5dce01913d631647c71ecec9e9cb8"},
    ),
    python=ArchiveFormat(
        archive="cifar-100-python.tar.gz",
        folder="cifar-100-python",
        train=("train",),
        test=("test",),
        meta="meta",
        sums={
            "cifar-100-python.tar.gz": "eb9058c3a382ffc7106e4002c42a8d85",
            "train": "16019d7e3df5f24257cddd939b257f8d",
            "test": "f0ef6b0ae62326f3e7ffdfab6717acfc",
            "meta": "7973b15100ade9c7d40fb424638fde48",
        },
    ),
    label_bytes=2,  # coarse, fine
    label_key="fine_labels",
    names_key="fine_label_names",
    classes=100,
)


class _Cifar(DatasetSource):
    layout: ClassVar[CifarLayout]
    shape = SHAPE

    @classmethod
    def files(cls, place: Path) -> tuple[Path, ...] | str:
        return files(cls.layout, place)

    @classmethod
    def read(cls, files: tuple[Path, ...], options: Any) -> Dataset:
        return read(cls.layout, files, cls.name, cls.about)


@register
class Cifar10(_Cifar):
    """CIFAR-10."""

    name, folders = "cifar10", ("cifar10", "cifar-10")
    about = "small colour photos of ten kinds of things (Krizhevsky 2009)"
    get = DOWNLOAD.format("cifar-10")
    layout = CIFAR10
    images, classes = (layout.train, layout.test), layout.classes


@register
class Cifar100(_Cifar):
    """CIFAR-100, with its fine labels."""

    name, folders = "cifar100", ("cifar100", "cifar-100")
    about = "small colour photos of a hundred kinds of things (Krizhevsky 2009)"
    get = DOWNLOAD.format("cifar-100")
    layout = CIFAR100
    images, classes = (layout.train, layout.test), layout.classes


def files(layout: CifarLayout, place: Path) -> tuple[Path, ...] | str:
    """Return the files of the first format found in a folder, or the reason why there are none."""
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
    """Read the data set from an archive or from unpacked files.

    Raises DataError for files that are incomplete, have another md5 than the official ones, or
    have unexpected content.
    """
    packed = len(paths) == 1
    binary = paths[-1].name in (layout.binary.archive, layout.binary.meta)
    form = layout.binary if binary else layout.python
    held = {path.name: raw(path) for path in paths}
    for path in paths:
        if path.name in form.sums:
            check_sum(held[path.name], form.sums[path.name], path)
    where = {path.name: path for path in paths}
    if packed:
        held = members(held[paths[0].name], paths[0], form.names)
        where = {name: paths[0] / name for name in form.names}
        missing = [name for name in form.names if name not in held]
        if missing:
            raise DataError(f"'{paths[0]}' has no {missing[0]}")
    take = _binary if binary else _pickled
    parts = [
        _images([take(layout, held[name], where[name]) for name in names], count, where[names[0]])
        for names, count in ((form.train, layout.train), (form.test, layout.test))
    ]
    classes = _classes(layout, form, held[form.meta], where[form.meta])
    return dataset(name, parts[0], parts[1], classes, about)


def _binary(layout: CifarLayout, data: bytes, path: Path) -> Arrays:
    """Return pixels (n, 3072) and labels (n,) of records: labels, then red, green and blue."""
    import numpy as np

    size = layout.label_bytes + PIXELS
    if not data or len(data) % size:
        raise DataError(f"'{path}' should hold records of {size:,} bytes, has {len(data):,} bytes")
    records = np.frombuffer(data, dtype=np.uint8).reshape(-1, size)
    labels = records[:, layout.label_bytes - 1].tolist()
    return records[:, layout.label_bytes :], _checked(labels, layout, path)


def _pickled(layout: CifarLayout, data: bytes, path: Path) -> Arrays:
    """Return pixels (n, 3072) and labels (n,) of a python batch."""
    import numpy as np

    from archscope.datasets import restricted_pickle

    batch = restricted_pickle.mapping(data, path)
    pixels, labels = batch.get("data"), batch.get(layout.label_key)
    if not isinstance(pixels, np.ndarray) or pixels.ndim != 2 or pixels.shape[1] != PIXELS:
        raise DataError(f"'{path}' should hold pixels (n, {PIXELS}) under 'data'")
    if not isinstance(labels, list) or not all(type(label) is int for label in labels):
        raise DataError(f"'{path}' should hold a list of numbers under '{layout.label_key}'")
    if len(labels) != len(pixels):
        raise DataError(f"'{path}' holds {len(pixels):,} images and {len(labels):,} labels")
    return pixels, _checked(labels, layout, path)


def _checked(labels: list[int], layout: CifarLayout, path: Path) -> NDArray[np.int64]:
    """Return labels as int64, all of them those of a class."""
    import numpy as np

    wrong = [label for label in labels if not 0 <= label < layout.classes]
    if wrong:
        raise DataError(f"'{path}' has label {wrong[0]}, expected 0 to {layout.classes - 1}")
    return np.array(labels, dtype=np.int64)


def _images(arrays: Sequence[Arrays], count: int, path: Path) -> Images:
    import numpy as np
    import torch

    pixels = np.concatenate([pixels for pixels, _ in arrays])
    if len(pixels) != count:
        raise DataError(f"'{path}' and others: expected {count:,} images, got {len(pixels):,}")
    return Images(
        torch.from_numpy(pixels.reshape(-1, *SHAPE)),
        torch.from_numpy(np.concatenate([labels for _, labels in arrays])),
    )


def _classes(layout: CifarLayout, form: ArchiveFormat, data: bytes, path: Path) -> tuple[str, ...]:
    """Read the names of the classes, which are part of the data set."""
    listed: Any = data.split()
    if form is layout.python:
        from archscope.datasets import restricted_pickle

        listed = restricted_pickle.mapping(data, path).get(layout.names_key)
        if not isinstance(listed, list) or not all(
            isinstance(name, bytes | str) for name in listed
        ):
            raise DataError(f"'{path}' should hold a list of names under '{layout.names_key}'")
    if len(listed) != layout.classes:
        raise DataError(f"'{path}' names {len(listed)} classes, expected {layout.classes}")
    return tuple(name.decode("latin-1") if isinstance(name, bytes) else name for name in listed)
