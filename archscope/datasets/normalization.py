"""Normalise images by the mean and standard deviation of the pixels."""

from __future__ import annotations

import math

import torch
from msgspec import Struct
from torch import Tensor

from archscope.datasets.images import Images
from archscope.errors import DataError

CHUNK = 4096  # images at once, as sums need eight bytes per pixel


class Statistics(Struct, frozen=True):
    """Per-channel mean and standard deviation of pixels between 0 and 1."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    def normalise(self, images: Tensor) -> Tensor:
        """Return uint8 (N, C, H, W) as float32, each channel minus its mean over its deviation.

        For a channel without deviation, only the mean is subtracted.
        """
        scale = [1 / (255 * (std or 1)) for std in self.std]
        shift = [-mean / (std or 1) for mean, std in zip(self.mean, self.std, strict=True)]
        column = (len(scale), 1, 1)
        return (
            images.float()
            .mul_(torch.tensor(scale, device=images.device).view(column))
            .add_(torch.tensor(shift, device=images.device).view(column))
        )

    def repeated(self, channels: int) -> Statistics:
        """Return the statistics for `channels` channels, repeating the given ones."""
        times = channels // len(self.mean)
        return Statistics(self.mean * times, self.std * times)


def statistics(images: Images) -> Statistics:
    """Return mean and standard deviation of each channel, over all pixels of all images.

    Sums are exact integers; the deviation is that of the population (divided by N). Use only the
    training split. Raises DataError if there are no images.
    """
    if not len(images):
        raise DataError("no images to compute mean and deviation from")
    total = squares = torch.zeros(images.shape[0], dtype=torch.int64)
    for chunk in torch.split(images.images, CHUNK):
        values = chunk.to(torch.int64)
        total = total + values.sum((0, 2, 3)).cpu()
        squares = squares + values.square().sum((0, 2, 3)).cpu()
    count = images.images[:, 0].numel()
    pairs = zip(total.tolist(), squares.tolist(), strict=True)
    # Integers until the root, as two large sums nearly cancel.
    spread = [math.sqrt(count * square - first**2) / count / 255 for first, square in pairs]
    return Statistics(tuple(first / count / 255 for first in total.tolist()), tuple(spread))
