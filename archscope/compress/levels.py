"""Weights as few whole multiples of a scale for each channel."""

from __future__ import annotations

import torch
from msgspec import Struct
from torch import Tensor

from archscope.nn.rounding import best_scales


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

    Each channel, a place on the first axis, has the scale of the smallest squared error.
    """
    rows = weights.detach().cpu().float().flatten(1)
    most = 2 ** (bits - 1) - 1
    scales = best_scales(rows, most, 2 * most + 1)
    numbers = (rows / scales[:, None]).round().clamp(-most, most)
    return Levels(scales, numbers.view(weights.shape))
