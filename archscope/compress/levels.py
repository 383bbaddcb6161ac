"""Weights as a few integer multiples of a scale for each channel."""

from __future__ import annotations

import torch
from msgspec import Struct
from torch import Tensor

from archscope.nn.rounding import best_scales


class Levels(Struct, frozen=True, eq=False):
    """Scales along the first axis, and the integers that they are multiplied by."""

    scales: Tensor  # (C,)
    numbers: Tensor  # as the weights, float32

    @property
    def weights(self) -> Tensor:
        """The weights that the integers represent."""
        return self.numbers * self.scales.view(-1, *(1 for _ in self.numbers.shape[1:]))

    def codes(self, bits: int) -> Tensor:
        """Return the integers as two's complement with this many bits, uint8; 0 is zero."""
        codes: Tensor = self.numbers.int() & (2**bits - 1)
        return codes.to(torch.uint8)


def uniform(weights: Tensor, bits: int) -> Levels:
    """Round weights to 2 ** bits - 1 levels around zero, 2 to 8 bits; zeros stay zero.

    Each channel, an index on the first axis, has the scale of the smallest squared error.
    """
    rows = weights.detach().cpu().float().flatten(1)
    most = 2 ** (bits - 1) - 1
    scales = best_scales(rows, most, 2 * most + 1)
    numbers = (rows / scales[:, None]).round().clamp(-most, most)
    return Levels(scales, numbers.view(weights.shape))
