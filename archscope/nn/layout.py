"""Permuted and rearranged axes of tensors."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn


class Permute(nn.Module):
    """A permutation of the axes of each image."""

    def __init__(self, *order: int) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        """Return a view of the batch."""
        return x.permute(0, *(axis + 1 for axis in self.order))

    def extra_repr(self) -> str:
        """Return the order for printing."""
        return ", ".join(map(str, self.order))


class Select(nn.Module):
    """An element along an axis of each image."""

    def __init__(self, index: int, axis: int) -> None:
        super().__init__()
        self.index, self.axis = index, axis

    def forward(self, x: Tensor) -> Tensor:
        """Return a view without the axis."""
        return x.select(self.axis, self.index)

    def extra_repr(self) -> str:
        """Return index and axis for printing."""
        return f"{self.index}, axis={self.axis}"


class SpaceToDepth(nn.Module):
    """Blocks of positions as channels: all channels of a position, then those of the next.

    Positions of a block follow row by row or column by column.
    """

    def __init__(self, block: int, order: str) -> None:
        super().__init__()
        self.block, self.order = block, order

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, C * block^2, H / block, W / block)."""
        batch, _, height, width = x.shape
        size = self.block
        blocks = x.reshape(batch, -1, height // size, size, width // size, size)
        inside = (3, 5) if self.order == "row" else (5, 3)
        return blocks.permute(0, *inside, 1, 2, 4).reshape(batch, -1, height // size, width // size)

    def extra_repr(self) -> str:
        """Return the block for printing."""
        return f"{self.block}, order={self.order}"


class Unfold(nn.Unfold):
    """Windows unfolded: their values become channels, the windows positions."""

    def forward(self, input: Tensor) -> Tensor:
        """Return (N, C * taps, height, width)."""
        words: Any = (self.kernel_size, self.dilation, self.padding, self.stride)
        sizes = [
            (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1
            for size, kernel, dilation, padding, stride in zip(input.shape[2:], *words, strict=True)
        ]
        return super().forward(input).reshape(input.shape[0], -1, *sizes)
