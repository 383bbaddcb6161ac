"""Learned vectors that precede, or are added to, the positions of feature maps."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class ClassToken(nn.Module):
    """Learned vectors prepended to the positions of (N, C, positions)."""

    def __init__(self, channels: int, count: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, count, channels))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors followed by the positions."""
        return torch.cat([self.weight.expand(x.shape[0], -1, -1).transpose(1, 2), x], dim=2)

    def extra_repr(self) -> str:
        """Return the number of vectors for printing."""
        return f"{self.weight.shape[2]}, {self.weight.shape[1]}"


class PositionEmbedding(nn.Module):
    """A learned vector added to each position; `weight` is (1, *positions, channels)."""

    def __init__(self, channels: int, sizes: tuple[int, ...]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.empty(1, *sizes, channels))
        nn.init.trunc_normal_(self.weight, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        return x + self.weight.movedim(-1, 1)

    def extra_repr(self) -> str:
        """Return the shape for printing."""
        return f"{self.weight.shape[-1]}, {tuple(self.weight.shape[1:-1])}"


class Embedding(nn.Embedding):
    """A learned vector for each index, along axis 1; indices may be floats."""

    def forward(self, input: Tensor) -> Tensor:
        """Return the vectors of the indices: (N, ...) to (N, C, ...)."""
        return super().forward(input.long()).movedim(-1, 1)
