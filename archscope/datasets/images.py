"""Labelled images, and data sets of them."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from msgspec import Struct

from archscope.errors import DataError
from archscope.ir import text_of

if TYPE_CHECKING:
    import torch
    from torch import Tensor

LIMIT_PIXELS = 2**26
"""Per image file: a few kilobytes can decompress to more than fits into memory."""

SHOWN = 5
"""Class names to list in an error message."""


class Images(Struct, frozen=True, eq=False):
    """Images and their labels.

    `images` is uint8 (N, C, H, W), `labels` int64 (N,) with values from 0 to `classes` - 1, where
    `classes` is None if unknown. Raises DataError for other types, shapes or labels.
    """

    images: Tensor
    labels: Tensor
    classes: int | None = None

    def __post_init__(self) -> None:
        import torch

        images, labels = self.images, self.labels
        if images.dtype != torch.uint8 or images.ndim != 4:
            raise DataError(
                "expected images as uint8 (N, C, H, W), got"
                f" {str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"
            )
        if labels.dtype != torch.int64 or tuple(labels.shape) != (len(images),):
            raise DataError(
                f"expected labels as int64 ({len(images)},), got"
                f" {str(labels.dtype).removeprefix('torch.')} {tuple(labels.shape)}"
            )
        if len(labels):
            low, high = int(labels.min()), int(labels.max())
            if low < 0 or (self.classes is not None and high >= self.classes):
                top = "" if self.classes is None else f" to {self.classes - 1}"
                raise DataError(f"labels must be from 0{top}, got {low if low < 0 else high}")

    def __len__(self) -> int:
        return len(self.images)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Return (C, H, W) of one image."""
        channels, height, width = self.images.shape[1:]
        return channels, height, width

    def take(self, places: Tensor) -> Images:
        """Return the images at int64 indices (M,), in that order."""
        places = places.to(self.images.device)
        return Images(
            self.images.index_select(0, places), self.labels.index_select(0, places), self.classes
        )

    def to(self, device: torch.device | str) -> Images:
        """Return the same images on another device."""
        return Images(self.images.to(device), self.labels.to(device), self.classes)


class Dataset(Struct, frozen=True, eq=False):
    """A data set; `test` is None if it has no test images of its own.

    `digest` is the sha256 of the content: two data sets with one digest hold the same shapes,
    pixels, labels and class names in the same order.
    """

    name: str
    train: Images
    test: Images | None
    classes: tuple[str, ...]
    digest: str
    about: str
    validation: Images | None = None
    """Images to validate with; if None, some of the training images are used."""
    notes: tuple[str, ...] = ()
    """Notes for the user about how the files were read."""


def dataset(
    name: str,
    train: Images,
    test: Images | None,
    classes: tuple[str, ...],
    about: str,
    *,
    validation: Images | None = None,
    notes: tuple[str, ...] = (),
) -> Dataset:
    """Return a data set with its digest.

    Raises DataError for labels without a class, classes without training images, and validation or
    test images of another shape.
    """
    import torch

    if not len(train):
        raise DataError(f"data set '{name}' has no training images")
    train = Images(train.images, train.labels, len(classes))
    validation, test = (
        None if part is None else Images(part.images, part.labels, len(classes))
        for part in (validation, test)
    )
    present = torch.bincount(train.labels, minlength=len(classes))
    without = [label for label, count in zip(classes, present.tolist(), strict=True) if not count]
    if without:
        more = ", ..." if len(without) > SHOWN else ""
        raise DataError(
            f"data set '{name}' has {len(classes)} classes, but no training images of"
            f" {', '.join(without[:SHOWN])}{more}"
        )
    for word, part in (("validation", validation), ("test", test)):
        if part is not None and part.shape != train.shape:
            raise DataError(
                f"data set '{name}' has training images of {text_of(train.shape)},"
                f" {word} images of {text_of(part.shape)}"
            )
    parts = [part for part in (train, validation, test) if part is not None]
    digest = _digest(parts, classes)
    return Dataset(name, train, test, classes, digest, about, validation, notes)


def _digest(parts: list[Images], classes: tuple[str, ...]) -> str:
    """Return the sha256 over class names, then shape, pixels and labels of each part."""
    digest = hashlib.sha256(repr(classes).encode())
    for part in parts:
        digest.update(repr(tuple(part.images.shape)).encode())
        digest.update(part.images.contiguous().numpy().data)
        digest.update(part.labels.numpy().astype("<i8").data)
    return digest.hexdigest()


def check_pixels(path: object, width: int, height: int) -> None:
    """Raise DataError for an image file that is too large to be decoded."""
    if width * height > LIMIT_PIXELS:
        raise DataError(
            f"'{path}' has {width * height:,} pixels, more than the limit of {LIMIT_PIXELS:,}"
        )
