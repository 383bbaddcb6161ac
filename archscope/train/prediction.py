"""Predict the classes of image files with a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from msgspec import Struct

from archscope.datasets.image_files import MODES, images_in, read_pixels
from archscope.errors import DataError, OptionError
from archscope.train.trained_network import load_classifier


class Prediction(Struct, frozen=True):
    """A predicted class of an image."""

    image: str
    name: str
    probability: float


def predict(run: Path, images: Sequence[Path], top: int = 5) -> list[Prediction]:
    """Return the `top` most likely classes of each image, the most likely first.

    A folder means the images in it. Images are prepared as for the training: rotated upright,
    scaled to cover their size, and cropped to the centre. Probabilities are the softmax of the
    network's main output. Raises ArchscopeError.
    """
    trained = load_classifier(run, device="cpu")
    channels, *size = trained.adaptation.source
    if channels not in MODES:
        raise OptionError(f"the run needs images with {channels} channels, which no image file has")
    statistics = trained.statistics.repeated(trained.adaptation.target[0])
    predictions = []
    for path in _files(images):
        read = torch.from_numpy(read_pixels(path, size, channels).copy())[None]
        pixels = trained.adaptation.apply(read)
        with torch.no_grad():
            outputs = trained.network(statistics.normalise(pixels))
        probabilities = trained.task.logits(outputs).softmax(1)[0]
        best = probabilities.topk(min(top, len(trained.classes)))
        predictions += [
            Prediction(str(path), trained.classes[place], probability)
            for probability, place in zip(best.values.tolist(), best.indices.tolist(), strict=True)
        ]
    return predictions


def _files(paths: Sequence[Path]) -> list[Path]:
    """Return the given image files, and those in the given folders."""
    files: list[Path] = []
    for path in paths:
        inside = images_in(path) if path.is_dir() else [path]
        if not inside:
            raise DataError(f"the folder '{path}' holds no images")
        files += inside
    return files
