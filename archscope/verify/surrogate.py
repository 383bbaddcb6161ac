"""A variant of the module whose derivatives cannot cancel."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.build import Network, build
from archscope.ir import Graph

MaxPool = nn.MaxPool1d | nn.MaxPool2d | nn.MaxPool3d
AdaptiveMaxPool = nn.AdaptiveMaxPool1d | nn.AdaptiveMaxPool2d | nn.AdaptiveMaxPool3d


def surrogate(graph: Graph) -> Network:
    """Return the module of a graph with positive weights, and sums in place of maxima."""
    network = build(graph).eval()
    for parameter in network.parameters():
        parameter.requires_grad_(False)
        if parameter.dim() > 1:
            parameter.copy_(torch.rand_like(parameter) + 0.5)
    for module in list(network.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, MaxPool):
                setattr(module, name, Sum(child))
            elif isinstance(child, AdaptiveMaxPool):
                axes = type(child).__name__[-2:]
                setattr(module, name, getattr(nn, f"AdaptiveAvgPool{axes}")(child.output_size))
    return network


class Sum(nn.Module):
    """Sums each window of a max pool, so that the output depends on all its values."""

    def __init__(self, pool: MaxPool) -> None:
        super().__init__()
        self.pool = pool

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum of each window of the pool."""
        pool: Any = self.pool
        sizes = pool(x).shape
        if hasattr(pool, "pad"):
            x = functional.pad(x, pool.pad)
        kernel, stride, padding, dilation = (
            value if isinstance(value, tuple) else (value,) * (x.dim() - 2)
            for value in (pool.kernel_size, pool.stride, pool.padding, pool.dilation)
        )
        # Padding at the end makes room for a last window that reaches beyond the input.
        sides = [(p, p + k * d) for p, k, d in zip(padding, kernel, dilation, strict=True)]
        x = functional.pad(x, [side for pair in reversed(sides) for side in pair])
        convolve: Any = getattr(functional, f"conv{len(kernel)}d")
        ones = x.new_ones(1, 1, *kernel)
        sums = convolve(x.flatten(0, 1)[:, None], ones, None, stride, 0, dilation)
        cropped: Tensor = sums[(..., *(slice(size) for size in sizes[2:]))]
        return cropped.reshape(sizes)
