"""Training with weights of few bits: passes see them rounded, steps change the exact ones."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import nn

from archscope.nn.rounding import rounded_weights

END_BITS = 8
"""At least so many bits have the first and the last layer (Zhou et al. 2016, DoReFa-Net)."""


class RoundedWeights:
    """Rounds the kernels and matrices of a network, and gives back the exact ones.

    Gradients at the rounded weights move the exact ones, as if nothing was rounded (the
    straight-through estimator).
    """

    def __init__(self, network: nn.Module, bits: int) -> None:
        held = [weight for weight in network.parameters() if weight.ndim > 1]
        ends = {id(weight) for weight in (*held[:1], *held[-1:])}
        self.bits = [(w, max(bits, END_BITS) if id(w) in ends else bits) for w in held]

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Let the network compute with rounded weights."""
        exact = [weight.data for weight, _ in self.bits]
        try:
            with torch.no_grad():
                for weight, bits in self.bits:
                    weight.data = rounded_weights(weight.data, bits)
            yield
        finally:
            for (weight, _), data in zip(self.bits, exact, strict=True):
                weight.data = data
