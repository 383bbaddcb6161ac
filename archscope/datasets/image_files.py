"""Read image files as pixels, in the same way for folders, predictions and everything else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from msgspec import Struct

from archscope.datasets.images import check_pixels
from archscope.errors import DataError
from archscope.signatures import described_file

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm"}
MODES = {1: "L", 3: "RGB"}
"""Pillow's modes by number of channels."""

LARGE_PIXELS = 2**22  # larger images are decoded one at a time
THREADS = 4  # Pillow decodes without holding Python's lock
ORIENTATION = 0x112
"""The EXIF tag of the orientation; from 5 on, height and width are swapped."""

Result = TypeVar("Result")
_LARGE = Lock()


class Measured(Struct, frozen=True):
    """The header of an image file; the size is that of the upright image."""

    height: int
    width: int
    grey: bool


def is_image(path: Path) -> bool:
    """Return whether a path has the suffix of an image and is not hidden."""
    return path.suffix.lower() in ENDINGS and not path.name.startswith(".") and path.is_file()


def images_in(folder: Path) -> list[Path]:
    """Return the image files in a folder and its subfolders, by path."""
    return [path for path in sorted(folder.rglob("*")) if is_image(path)]


def measure(path: Path) -> Measured:
    """Read the header of an image file. Raises DataError if it has none."""
    with _opened(path) as image:
        height, width = image.height, image.width
        if image.getexif().get(ORIENTATION, 1) >= 5:
            height, width = width, height
        return Measured(height, width, image.mode in ("1", "L", "LA", "I", "F", "I;16", "I;16B"))


def read_pixels(path: Path, size: Sequence[int] | None, channels: int) -> Any:
    """Return an image file as uint8 (C, H, W). Raises DataError if it cannot be read.

    It is rotated upright by its EXIF orientation, scaled (bilinear) to cover `size`, height and
    width, and cropped to the centre; without `size` it keeps its size. Transparency is dropped, and
    16 bits become 8.
    """
    import numpy as np
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
    """Apply a function to each file, and return the results or errors in order."""

    def attempt(path: Path) -> Result | DataError:
        try:
            return work(path)
        except DataError as error:
            return error

    paths = list(paths)
    with ThreadPoolExecutor(THREADS) as pool:
        return list(zip(paths, pool.map(attempt, paths), strict=True))


def _in_8_bits(image: Any) -> Any:
    """Scale the values of an image to 255; Pillow's own conversion clips 16 bits at 255."""
    import numpy as np
    from PIL import Image

    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).astype(np.int64) >> 8).clip(0, 255).astype(np.uint8))


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """Open an image file within the size limit; errors of Pillow become DataErrors."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(path) as opened:
            check_pixels(path, opened.width, opened.height)
            if opened.mode == "F":
                raise ValueError("its values are fractions of unknown range")
            yield opened
    except UnidentifiedImageError:
        what = described_file(path)
        reason = f"it is {what}" if what else "Pillow does not know its format"
        raise DataError(f"'{path}' cannot be read as an image: {reason}") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise DataError(f"'{path}' cannot be read as an image: {reason}") from None
