"""Augment training images, one batch at a time.

The functions take their random numbers as arguments, so all are pure functions of tensors.
"""

from __future__ import annotations

import torch
from msgspec import Struct
from torch import Tensor
from torch.nn import functional

from archscope.errors import OptionError


class Augment(Struct, frozen=True):
    """Random changes to training images; none by default.

    `crop` pads every side by this many zero pixels and cuts out a window of the original size.
    `flip` mirrors half of the images left to right. `cutout` sets a square with this many pixels
    per side to the mean (arXiv:1708.04552). `mixup` blends each image and its label with those of
    another, by a share drawn from Beta(mixup, mixup) once per batch (arXiv:1710.09412). Raises
    OptionError for negative values.
    """

    crop: int = 0
    flip: bool = False
    cutout: int = 0
    mixup: float = 0.0

    def __post_init__(self) -> None:
        for name in ("crop", "cutout", "mixup"):
            value = getattr(self, name)
            if not 0 <= value < float("inf"):
                raise OptionError(f"{name} must be 0 or greater, got {value}")


def crop(images: Tensor, top: Tensor, left: Tensor, padding: int) -> Tensor:
    """Return windows of images (N, C, H, W) after padding with zeros on every side.

    `top` and `left` are int64 (N,) from 0 to 2 * padding; an offset of `padding` leaves an image
    unchanged.
    """
    count, channels, height, width = images.shape
    padded = functional.pad(images, (padding,) * 4)
    # A row of a window is contiguous in memory: whole rows are copied, not single pixels.
    runs = padded.flatten().unfold(0, width, 1)
    planes = torch.arange(count * channels, device=images.device).view(count, channels, 1)
    rows = planes * padded.shape[2] + top.view(-1, 1, 1)
    rows = rows + torch.arange(height, device=images.device)
    starts = rows * padded.shape[3] + left.view(-1, 1, 1)
    return runs.index_select(0, starts.flatten()).view(images.shape)


def flip(images: Tensor, chosen: Tensor) -> Tensor:
    """Return images (N, C, H, W) with the chosen ones, bool (N,), mirrored left to right."""
    both = torch.cat([images, images.flip(-1)])  # copying whole images is the fastest way
    places = torch.arange(len(images), device=images.device)
    return both.index_select(0, places + len(images) * chosen)


def cutout(images: Tensor, row: Tensor, column: Tensor, side: int) -> Tensor:
    """Return images (N, C, H, W) with a square around row and column, int64 (N,), set to zero.

    The part of the square outside the image is lost, as in the paper. An even square has its
    larger half above and to the left.
    """
    height, width = images.shape[-2:]
    square = _within(row, height, side).unsqueeze(2) & _within(column, width, side).unsqueeze(1)
    return images.masked_fill(square.unsqueeze(1), 0)


def _within(centre: Tensor, size: int, side: int) -> Tensor:
    """Return bool (N, size): the positions that the square covers along an axis."""
    first = (centre - side // 2).unsqueeze(1)
    places = torch.arange(size, device=centre.device)
    return (places >= first) & (places < first + side)


def mixup(
    images: Tensor, labels: Tensor, partner: Tensor, share: float, classes: int
) -> tuple[Tensor, Tensor]:
    """Return blended float images (N, C, H, W) and soft targets (N, classes) that sum to 1.

    Image i is `share` of itself plus the rest of image partner[i], and so is its label.
    """
    targets = functional.one_hot(labels, classes).to(images.dtype)
    blended, soft = (torch.lerp(values[partner], values, share) for values in (images, targets))
    return blended, soft
