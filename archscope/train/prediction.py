"""Classes of image files by a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from msgspec import Struct
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from archscope.datasets.images import check_pixels
from archscope.errors import DataError, OptionError
from archscope.train.trained_network import load_classifier

MODES = {1: "L", 3: "RGB"}


class Prediction(Struct, frozen=True):
    """One likely class of an image."""

    image: str
    name: str
    probability: float


def predict(run: Path, images: Sequence[Path], top: int = 5) -> list[Prediction]:
    """Return the `top` most likely classes of each image, the most likely first.

    Probabilities are the softmax of the network's main output. Raises ArchscopeError.
    """
    trained = load_classifier(run, device="cpu")
    predictions = []
    for path in images:
        pixels = trained.adaptation.apply(_pixels(path, trained.adaptation.source))
        statistics = trained.statistics.repeated(trained.adaptation.target[0])
        with torch.no_grad():
            outputs = trained.network(statistics.normalise(pixels))
        probabilities = trained.task.logits(outputs).softmax(1)[0]
        best = probabilities.topk(min(top, len(trained.classes)))
        predictions += [
            Prediction(str(path), trained.classes[place], probability)
            for probability, place in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
    return predictions


def _pixels(path: Path, shape: Sequence[int]) -> Tensor:
    """Return an image file as uint8 (1, C, H, W) of a shape. Raises ArchscopeError."""
    channels, height, width = shape
    if channels not in MODES:
        raise OptionError(f"the run takes images of {channels} channels, which no file has")
    try:
        with Image.open(path) as opened:
            check_pixels(path, opened.width, opened.height)
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
