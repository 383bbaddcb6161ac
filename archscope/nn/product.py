"""Products of two tensors, and attention in torch's own layout."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class MatMul(nn.Module):
    """Matrix product along the last two axes."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the product."""
        return torch.matmul(a, b)


class Einsum(nn.Module):
    """Sum of products over named axes (einsum); the equation omits the batch."""

    def __init__(self, equation: str, *path: int) -> None:
        super().__init__()
        self.equation, self.path = equation, path
        operands, _, result = equation.partition("->")
        batch = next(letter for letter in "NBXYZbnxyz" if letter not in equation)
        parts = ",".join(batch + axes for axes in operands.split(","))
        self.with_batch = f"{parts}->{batch}{result}"

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the sum."""
        out: Tensor = torch.ops.aten.einsum(self.with_batch, tensors, path=self.path)
        return out

    def extra_repr(self) -> str:
        """Return the equation for printing."""
        return self.equation


class ScaledDotProductAttention(nn.Module):
    """torch's attention; a mask added to the scores is a weight or a constant."""

    mask: Tensor | None

    def __init__(
        self,
        *mask: int,
        causal: bool = False,
        scale: float | None = None,
        fixed: bool = False,
    ) -> None:
        super().__init__()
        self.causal, self.scale = causal, scale
        if not mask:
            self.mask = None
        elif fixed:
            self.register_buffer("mask", torch.zeros(mask))
        else:
            self.mask = nn.Parameter(torch.zeros(mask))

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Return the weighted values of each query."""
        return functional.scaled_dot_product_attention(
            q, k, v, attn_mask=self.mask, is_causal=self.causal, scale=self.scale
        )

    def extra_repr(self) -> str:
        """Return the arguments that differ from the defaults, for printing."""
        return f"causal={self.causal}, scale={self.scale}"
