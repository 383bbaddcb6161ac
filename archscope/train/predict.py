"""What a trained network says of image files."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from msgspec import Struct
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from archscope.errors import DataError, OptionError
from archscope.train.trained_run import trained

MODES = {1: "L", 3: "RGB"}


class Guess(Struct, frozen=True):
    """A class that an image may show."""

    image: str
    name: str
    probability: float


def predict(run: Path, images: Sequence[Path], top: int = 5) -> list[Guess]:
    """Return the likeliest classes of each image, those of an image in a row, likeliest first.

    Probabilities are the softmax of the network's main output. Raises ArchscopeError.
    """
    one = trained(run, name="cpu")
    guesses = []
    for path in images:
        pixels = one.adaptation.apply(_pixels(path, one.adaptation.source))
        spread = one.statistics
        times = one.adaptation.target[0] // len(spread.mean)
        spread = type(spread)(spread.mean * times, spread.std * times)
        with torch.no_grad():
            outputs = one.network(spread.normalise(pixels))
        chances = one.task.logits(outputs).softmax(1)[0]
        best = chances.topk(min(top, len(one.classes)))
        guesses += [
            Guess(str(path), one.classes[place], chance)
            for chance, place in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
    return guesses


def _pixels(path: Path, shape: Sequence[int]) -> Tensor:
    """Return an image file as uint8 (1, C, H, W) of a shape. Raises ArchscopeError."""
    channels, height, width = shape
    if channels not in MODES:
        raise OptionError(f"the run takes images of {channels} channels, which no file has")
    try:
        with Image.open(path) as opened:
            image = opened.convert(MODES[channels])
    except UnidentifiedImageError:
        raise DataError(f"'{path}' is no image that Pillow can read") from None
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise DataError(f"cannot read '{path}': {reason}") from None
    except Image.DecompressionBombError as error:
        raise DataError(f"cannot read '{path}': {error}") from None
    if image.size != (width, height):
        image = image.resize((width, height), Image.Resampling.BILINEAR)
    array = np.asarray(image).reshape(height, width, channels)
    return torch.from_numpy(array.transpose(2, 0, 1).copy())[None]
