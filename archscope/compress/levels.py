"""Weights as a few integer multiples of a scale for each output channel."""

from __future__ import annotations

import torch
from msgspec import Struct
from torch import Tensor

from archscope.nn.rounding import best_scales, over_outputs
from archscope.ops.conv import by_output


class Levels(Struct, frozen=True, eq=False):
    """Scales of output channels, and the integers that they are multiplied by."""

    scales: Tensor  # (C,)
    numbers: Tensor  # as the weights, float32
    groups: int | None = None  # of a transposed convolution

    @property
    def weights(self) -> Tensor:
        """The weights that the integers represent."""
        return self.numbers * over_outputs(self.scales, self.numbers, self.groups)

    def codes(self, bits: int) -> Tensor:
        """Return the integers as two's complement with this many bits, uint8; 0 is zero."""
        codes: Tensor = self.numbers.int() & (2**bits - 1)
        return codes.to(torch.uint8)


def uniform(weights: Tensor, bits: int, groups: int | None = None) -> Levels:
    """Round weights to 2 ** bits - 1 levels around zero, 2 to 8 bits; zeros stay zero.

    Each output channel has the scale of the smallest squared error. `groups` are those of a
    transposed convolution.
    """
    exact = weights.detach().cpu().float()
    most = 2 ** (bits - 1) - 1
    scales = best_scales(by_output(exact, groups), most, 2 * most + 1)
    numbers = (exact / over_outputs(scales, exact, groups)).round().clamp(-most, most)
    return Levels(scales, numbers, groups)
