"""Masks of ones and zeros, and selection by masks."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Compare(nn.Module):
    """1 where a relation to a constant holds, 0 elsewhere."""

    def __init__(self, relation: str, than: float = 0.0) -> None:
        super().__init__()
        self.relation, self.than = relation, than

    def forward(self, x: Tensor) -> Tensor:
        """Return the mask."""
        holds: Tensor = getattr(torch, self.relation)(x, self.than)
        return holds.to(x.dtype)

    def extra_repr(self) -> str:
        """Return relation and constant for printing."""
        return f"{self.relation}, {self.than}"


class Where(nn.Module):
    """Element-wise selection between two tensors by a mask."""

    def forward(self, mask: Tensor, a: Tensor, b: Tensor) -> Tensor:
        """Return `a` where the mask is positive, `b` elsewhere."""
        return torch.where(mask > 0, a, b)


class MaskedFill(nn.Module):
    """A tensor filled with a constant where a mask is positive."""

    def __init__(self, value: float = 0.0) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Return the filled tensor."""
        return x.masked_fill(mask > 0, self.value)

    def extra_repr(self) -> str:
        """Return the constant for printing."""
        return f"{self.value}"
