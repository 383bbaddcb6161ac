"""Find inputs that a module accepts by running it."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import nn

from archscope.importers.torch.tracing import device_and_dtype
from archscope.ir import Shape

SIDES = (224, 32, 28, 64, 96, 128, 256, 299, 227, 48, 16, 8)
"""Sides of images, the usual ones first."""
LENGTHS = (128, 1024, 16000)
"""Lengths of signals."""
FRAMES = 16
"""Frames of a clip."""


def input_that_runs(model: nn.Module) -> Shape | None:
    """Return a shape that a module accepts as its only input, None if none of the usual ones works.

    The module runs on zeros, for one image, without gradients.
    """
    place = device_and_dtype(model)
    training = model.training
    model.eval()
    try:
        for shape in _likely(model):
            try:
                with torch.no_grad():
                    model(torch.zeros((1, *shape), **place))
            except Exception:  # noqa: S112 - whatever it raises, it does not take this
                continue
            return shape
    finally:
        model.train(training)
    return None


def _likely(model: nn.Module) -> Iterator[Shape]:
    """Yield shapes with the number of channels of the first layer."""
    for layer in model.modules():
        if isinstance(layer, nn.Linear):
            yield (layer.in_features,)
            break
        if isinstance(layer, nn.Conv1d):
            yield from ((layer.in_channels, length) for length in LENGTHS)
            break
        if isinstance(layer, nn.Conv2d):
            yield from ((layer.in_channels, side, side) for side in SIDES)
            break
        if isinstance(layer, nn.Conv3d):
            yield from ((layer.in_channels, FRAMES, side, side) for side in SIDES[:6])
            break
    yield from ((channels, side, side) for side in (32, 28, 224) for channels in (3, 1))
