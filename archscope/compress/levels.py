"""Weights as few whole multiples of a scale for each channel."""

from __future__ import annotations

import torch
from msgspec import Struct
from torch import Tensor

SHARES = torch.linspace(0.3, 1.0, 15).tolist()
"""Parts of a channel's largest weight that are tried as its largest level."""


class Levels(Struct, frozen=True, eq=False):
    """Scales along the first axis, and whole numbers that they are multiplied by."""

    scales: Tensor  # (C,)
    numbers: Tensor  # as the weights, float32

    @property
    def weights(self) -> Tensor:
        """The weights that the numbers stand for."""
        return self.numbers * self.scales.view(-1, *(1 for _ in self.numbers.shape[1:]))

    def codes(self, bits: int) -> Tensor:
        """Return the numbers as two's complement of so many bits, uint8; 0 is zero."""
        codes: Tensor = self.numbers.int() & (2**bits - 1)
        return codes.to(torch.uint8)


def uniform(weights: Tensor, bits: int) -> Levels:
    """Round weights to 2 ** bits - 1 levels about zero, 2 to 8 bits; zeros stay zero.

    The scale of each channel, its place on the first axis, is that of the smallest squared error
    among `SHARES` of its largest weight, as few bits do better to cut off the largest.
    """
    rows = weights.detach().cpu().float().flatten(1)
    most = 2 ** (bits - 1) - 1
    top = rows.abs().amax(1, keepdim=True)
    top = torch.where(top > 0, top, 1.0)
    scales, errors = top / most, torch.full_like(top, torch.inf)
    for share in SHARES:
        tried = top * share / most
        rounded = (rows / tried).round().clamp(-most, most) * tried
        error = (rounded - rows).square().sum(1, keepdim=True)
        scales = torch.where(error < errors, tried, scales)
        errors = errors.minimum(error)
    numbers = (rows / scales).round().clamp(-most, most)
    return Levels(scales.flatten(), numbers.view(weights.shape))
