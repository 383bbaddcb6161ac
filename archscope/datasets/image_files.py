"""Image files as pixels: one way to read them, for folders, predictions and all else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import numpy as np
from msgspec import Struct

from archscope.datasets.images import check_pixels
from archscope.errors import DataError

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
MODES = {1: "L", 3: "RGB"}
"""Pillow's word for images of so many channels."""

LARGE_PIXELS = 2**22  # of images that are decoded one at a time
THREADS = 4  # Pillow decodes outside of Python's lock
ORIENTATION = 0x112
"""The tag of EXIF that says how the camera was held; from 5 on, height and width are swapped."""

Result = TypeVar("Result")
_LARGE = Lock()


class Measured(Struct, frozen=True):
    """What the header of an image file says; the size is that of the image held upright."""

    height: int
    width: int
    grey: bool


def is_image(path: Path) -> bool:
    """Return whether a path is an image by its ending, and not hidden."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file()


def images_in(folder: Path) -> list[Path]:
    """Return the image files in a folder and below, by path."""
    return [path for path in sorted(folder.rglob("*")) if is_image(path)]


def measure(path: Path) -> Measured:
    """Return what the header of an image file says. Raises DataError if it has none."""
    with _opened(path) as image:
        height, width = image.height, image.width
        if image.getexif().get(ORIENTATION, 1) >= 5:
            height, width = width, height
        return Measured(height, width, image.mode in ("1", "L", "LA", "I", "F", "I;16", "I;16B"))


def read_pixels(path: Path, size: Sequence[int] | None, channels: int) -> Any:
    """Return an image file as uint8 (C, H, W). Raises DataError if it cannot be read.

    It is turned upright by its EXIF orientation, scaled (bilinear) until it covers the `size`,
    height and width, and cut to its centre; without a size it stays as large as it is. Transparency
    is left out, 16 bits become 8.
    """
    from PIL import Image, ImageOps

    with _opened(path) as opened:
        large = opened.width * opened.height > LARGE_PIXELS
        with _LARGE if large else nullcontext():
            image = _in_8_bits(ImageOps.exif_transpose(opened)).convert(MODES[channels])
            if size is not None and (image.height, image.width) != tuple(size):
                image = ImageOps.fit(image, (size[1], size[0]), Image.Resampling.BILINEAR)
    values = np.asarray(image)
    return values[None] if channels == 1 else values.transpose(2, 0, 1)


def of_each(
    work: Callable[[Path], Result], paths: Iterable[Path]
) -> list[tuple[Path, Result | DataError]]:
    """Return what a function makes of each file, or the error that it raised, in their order."""

    def attempt(path: Path) -> Result | DataError:
        try:
            return work(path)
        except DataError as error:
            return error

    paths = list(paths)
    with ThreadPoolExecutor(THREADS) as pool:
        return list(zip(paths, pool.map(attempt, paths), strict=True))


def _in_8_bits(image: Any) -> Any:
    """Return an image whose values go to 255; Pillow's own conversion cuts 16 bits off at 255."""
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open an image file of a bearable size; whatever Pillow raises is a DataError."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            check_pixels(path, opened.width, opened.height)
            if opened.mode == "F":
                raise ValueError("its values are fractions, of no known range")
            yield opened
    except UnidentifiedImageError:
        raise DataError(
            f"'{path}' cannot be read as an image: it is none that Pillow knows"
        ) from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise DataError(f"'{path}' cannot be read as an image: {reason}") from None
