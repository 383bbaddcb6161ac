"""Image folders: the user's own images in sub-folders by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, Literal

import numpy as np
import torch
from msgspec import Struct

from archscope.datasets.images import Dataset, Images, check_pixels, dataset
from archscope.datasets.lookup import sizes
from archscope.datasets.source import DatasetSource, register
from archscope.errors import DataError, OptionError
from archscope.ir import text_of

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
LIMIT_BYTES = 2**33
UNPACKED_BYTES, GROWTH = 2**29, 100  # images that take more, for each byte in files, are no photos
LARGE_PIXELS = 2**22  # of images that are decoded one at a time
THREADS = 4  # Pillow decodes outside of Python's lock
PARTS = ("train", "test")

_LARGE = Lock()


class ImageFolderOptions(Struct, frozen=True, forbid_unknown_fields=True):
    """How images are unified: `size` is height and width; 1 channel is grey, 3 are colours."""

    size: str | int | tuple[int, ...] = ()
    channels: Literal[1, 3] | Literal["1", "3"] = 3


@register
class ImageFolder(DatasetSource):
    """Images in sub-folders, one for each class: PATH/cat/1.png.

    If there are sub-folders `train` and `test`, the classes are in each of them. With a size,
    images are scaled until they cover it and cut to its centre; without one all must be of one
    size. Hidden files and files that are no images by their ending are left out.
    """

    name = "folder"
    about = "images in sub-folders, one for each class"
    get = "give a folder with one sub-folder of images for each class"
    options = ImageFolderOptions
    argument = "path"

    @classmethod
    def places(cls, folder: Path | None) -> tuple[Path, ...]:
        if folder is None:
            raise OptionError("data set 'folder' needs a path: folder:PATH, or --data-dir PATH")
        return (folder,)

    @classmethod
    def files(cls, place: Path) -> tuple[Path, ...] | str:
        return (place,) if place.is_dir() else "no such folder"

    @classmethod
    def read(cls, files: tuple[Path, ...], options: ImageFolderOptions) -> Dataset:
        """Return the images. Raises DataError for broken images, and for sizes that differ."""
        (root,) = files
        split = all((root / part).is_dir() for part in PARTS)
        roots = [root / part for part in PARTS] if split else [root]
        classes = tuple(path.name for path in _folders(roots[0]))
        if len(classes) < 2:
            raise DataError(f"'{roots[0]}' should hold a sub-folder for each of 2 or more classes")
        for other in roots[1:]:
            unknown = [path.name for path in _folders(other) if path.name not in classes]
            if unknown:
                raise DataError(f"'{other}' has a class '{unknown[0]}' without training images")
        size = sizes(options.size, "size", (1, 2)) if options.size != () else None
        if size is not None and len(size) == 1:
            size = (size[0], size[0])
        parts = [_part(root, classes, size, int(options.channels)) for root in roots]
        test = parts[1] if split and len(parts[1]) else None
        return dataset(cls.name, parts[0], test, classes, f"images of {root}")


def _folders(path: Path) -> list[Path]:
    return sorted(
        folder for folder in path.iterdir() if folder.is_dir() and not folder.name.startswith(".")
    )


def _part(
    root: Path, classes: Sequence[str], size: tuple[int, ...] | None, channels: int
) -> Images:
    """Return the images of all classes below a folder, in the order of class and path."""
    paths, labels = [], []
    for label, name in enumerate(classes):
        for path in sorted((root / name).rglob("*")):
            if path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file():
                paths.append(path)
                labels.append(label)
    if not paths:
        empty = torch.empty((0, channels, 1, 1), dtype=torch.uint8)
        return Images(empty, torch.empty(0, dtype=torch.int64))
    first = _pixels(paths[0], size, channels)
    total = len(paths) * math.prod(first.shape)
    stored = sum(path.stat().st_size for path in paths)
    limit = min(LIMIT_BYTES, max(UNPACKED_BYTES, GROWTH * stored))
    if total > limit:
        raise DataError(
            f"the {len(paths):,} images of '{root}' take {total:,} bytes, the limit is"
            f" {limit:,}; give a smaller size"
        )
    images = np.empty((len(paths), *first.shape), dtype=np.uint8)

    def place(at: int) -> None:
        pixels = _pixels(paths[at], size, channels)
        if pixels.shape != first.shape:
            raise DataError(
                f"'{paths[at]}' is {text_of(pixels.shape[1:])}, '{paths[0]}' is"
                f" {text_of(first.shape[1:])}; give a size to make them alike"
            )
        images[at] = pixels

    with ThreadPoolExecutor(THREADS) as pool:
        for _ in pool.map(place, range(len(paths))):
            pass
    return Images(torch.from_numpy(images), torch.tensor(labels))


def _pixels(path: Path, size: tuple[int, ...] | None, channels: int) -> Any:
    """Return an image as uint8 (C, H, W), rotated by its EXIF orientation."""
    from PIL import Image, ImageOps

    mode = "L" if channels == 1 else "RGB"
    try:
        with Image.open(path) as opened:
            check_pixels(path, opened.width, opened.height)
            large = opened.width * opened.height > LARGE_PIXELS
            with _LARGE if large else nullcontext():
                image = ImageOps.exif_transpose(opened).convert(mode)
                if size is not None and (image.height, image.width) != size:
                    image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BILINEAR)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(f"'{path}' cannot be read as an image: {error}") from None
    values = np.asarray(image)
    return values[None] if channels == 1 else values.transpose(2, 0, 1)
