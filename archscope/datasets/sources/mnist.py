"""MNIST and Fashion-MNIST, in IDX files: a magic number, sizes, then bytes."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from archscope.datasets.archives import check_sum, raw, unpacked
from archscope.datasets.images import Dataset, Images, dataset
from archscope.datasets.source import DatasetSource, register
from archscope.errors import DataError
from archscope.ir import text_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FILES = (
    "train-images-idx3-ubyte", "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte",
)  # fmt: skip
UNSIGNED_BYTE = 8


class _Idx(DatasetSource):
    """A data set in the four files of MNIST, packed or not."""

    shape, images, classes = (1, 28, 28), (60_000, 10_000), 10
    labels: ClassVar[tuple[str, ...]]
    sums: ClassVar[tuple[str, str, str, str]]
    """md5 of the unpacked files: packing again, as Debian does, changes that of the packed."""

    @classmethod
    def files(cls, place: Path) -> tuple[Path, ...] | str:
        if not place.is_dir():
            return "no such folder"
        found = []
        for name in FILES:
            present = [path for path in (place / name, place / f"{name}.gz") if path.is_file()]
            if not present:
                return f"has no {name}.gz"
            found.append(present[0])
        return tuple(found)

    @classmethod
    def read(cls, files: tuple[Path, ...], options: Any) -> Dataset:
        train, test = (
            pair(files[at], files[at + 1], count, (cls.sums[at], cls.sums[at + 1]))
            for at, count in zip((0, 2), cls.images, strict=True)
        )
        return dataset(cls.name, train, test, cls.labels, cls.about)


@register
class Mnist(_Idx):
    """MNIST."""

    name, folders = "mnist", ("mnist", "MNIST/raw")
    about = "grey pictures of handwritten digits (LeCun, Cortes, Burges)"
    get = "download the four files, " + ", ".join(f"{name}.gz" for name in FILES)
    labels = tuple("0123456789")
    sums = (
        "6bbc9ace898e44ae57da46a324031adb", "a25bea736e30d166cdddb491f175f624",
        "2646ac647ad5339dbf082846283269ea", "27ae3e4e09519cfbb04c329615203637",
    )  # fmt: skip


@register
class FashionMnist(_Idx):
    """Fashion-MNIST."""

    name, folders = "fashion-mnist", ("fashion-mnist", "FashionMNIST/raw")
    about = "grey pictures of clothes (arXiv:1708.07747)"
    get = (
        "install Debian's package dataset-fashion-mnist, or download the four files from"
        " https://github.com/zalandoresearch/fashion-mnist"
    )
    labels = (
        "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat",
        "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
    )  # fmt: skip
    sums = (
        "f4a8712d7a061bf5bd6d2ca38dc4d50a", "9018921c3c673c538a1fc5bad174d6f9",
        "8181f5470baa50b63fa0f6fddb340f0a", "15d484375f8d13e6eb1aabb0c3f46965",
    )  # fmt: skip


def pair(images: Path, labels: Path, count: int, sums: tuple[str, str], side: int = 28) -> Images:
    """Return `count` images of side x side and their labels, from two files.

    `sums` has the md5 of both unpacked files. Raises DataError if sizes or sums differ.
    """
    import numpy as np
    import torch

    shapes: tuple[tuple[int, ...], ...] = ((count, side, side), (count,))
    arrays = []
    for path, shape, md5 in zip((images, labels), shapes, sums, strict=True):
        data = unpacked(raw(path), path)
        values = array(data, path, len(shape))
        if values.shape != shape:
            raise DataError(
                f"'{path}' should hold {text_of(shape)} bytes, holds {text_of(values.shape)}"
            )
        check_sum(data, md5, path, "the content of " if path.suffix == ".gz" else "")
        arrays.append(values)
    return Images(
        torch.from_numpy(arrays[0].copy()).unsqueeze(1),
        torch.from_numpy(arrays[1].astype(np.int64)),
    )


def array(data: bytes, path: Path, rank: int) -> NDArray[np.uint8]:
    """Return the uint8 array, of `rank` axes, that the bytes of an IDX file hold.

    Raises DataError for another magic number, or for more or fewer bytes than its sizes say.
    """
    import numpy as np

    magic = bytes([0, 0, UNSIGNED_BYTE, rank])
    if data[:4] != magic:
        raise DataError(
            f"'{path}' is no IDX file of {rank} axes of bytes:"
            f" expected magic number {magic.hex()}, got {data[:4].hex() or 'nothing'}"
        )
    head = 4 + 4 * rank
    shape = tuple(int.from_bytes(data[at : at + 4], "big") for at in range(4, head, 4))
    expected = head + math.prod(shape)
    if len(data) != expected:
        raise DataError(
            f"'{path}' should have {expected:,} bytes for {text_of(shape)}, has {len(data):,}"
        )
    return np.frombuffer(data, dtype=np.uint8, offset=head).reshape(shape)
