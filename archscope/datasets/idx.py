"""IDX, the file format of MNIST: a magic number, sizes, then bytes."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from archscope.datasets.archives import check_sum, raw, unpacked
from archscope.datasets.images import Images
from archscope.errors import DataError
from archscope.ir import text_of

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte", "train-labels-idx1-ubyte"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"
FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)
UNSIGNED_BYTE = 8


def files(place: Path) -> tuple[Path, ...] | str:
    """Return the four files of MNIST's kind in a folder, packed or not, or what is missing."""
    if not place.is_dir():
        return "no such folder"
    found = []
    for name in FILES:
        choices = [place / name, place / f"{name}.gz"]
        present = [path for path in choices if path.is_file()]
        if not present:
            return f"has no {name}.gz"
        found.append(present[0])
    return tuple(found)


def array(data: bytes, path: Path, rank: int) -> NDArray[np.uint8]:
    """Return the uint8 array, of `rank` axes, that the bytes of an IDX file hold.

    Raises DataError for another magic number, or for more or fewer bytes than its sizes say.
    """
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


def pair(images: Path, labels: Path, count: int, sums: dict[str, str], side: int = 28) -> Images:
    """Return `count` images of side x side and their labels, from two files.

    `sums` has the md5 of each unpacked file by name. Raises DataError if sizes or sums differ.
    """
    arrays = []
    for path, shape in ((images, (count, side, side)), (labels, (count,))):
        data = unpacked(raw(path), path)
        values = array(data, path, len(shape))
        if values.shape != shape:
            raise DataError(
                f"'{path}' should hold {text_of(shape)} bytes, holds {text_of(values.shape)}"
            )
        check_sum(data, sums[path.name.removesuffix(".gz")], path, _packed(path))
        arrays.append(values)
    return Images(
        torch.from_numpy(arrays[0].copy()).unsqueeze(1),
        torch.from_numpy(arrays[1].astype(np.int64)),
    )


def _packed(path: Path) -> str:
    return "the content of " if path.suffix == ".gz" else ""
