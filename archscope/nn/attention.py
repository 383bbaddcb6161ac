"""Attention among the positions of feature maps (N, C, ...)."""

from __future__ import annotations

from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional


def _heads(x: Tensor, count: int) -> Tensor:
    """Return channels as heads of vectors: (N, C, ...) to (N, heads, positions, C / heads)."""
    rows = x.flatten(2).transpose(1, 2).clone(memory_format=torch.contiguous_format)
    return torch.unflatten(rows, 2, (count, -1)).transpose(1, 2)


class Attention(nn.Module):
    """The mean of values at each position, weighted by the match of its query with their keys.

    It takes a tensor with queries, keys and values along its channels, or three tensors.
    `key_heads` heads of keys and values serve equally many heads of queries each.
    """

    def __init__(
        self, heads: int, key_heads: int = 0, causal: bool = False, scale: float | None = None
    ) -> None:
        super().__init__()
        self.heads, self.key_heads, self.causal = heads, key_heads or heads, causal
        self.scale = scale

    def forward(
        self, x: Tensor, keys: Tensor | None = None, values: Tensor | None = None
    ) -> Tensor:
        """Return the concatenated heads at the positions of the queries."""
        each = self.heads // self.key_heads
        if keys is None or values is None:
            parts = [self.heads, self.key_heads, self.key_heads]
            q, k, v = torch.split(_heads(x, sum(parts)), parts, dim=1)
        else:
            q, k, v = (
                _heads(x, self.heads),
                _heads(keys, self.key_heads),
                _heads(values, self.key_heads),
            )
        if each > 1:
            k, v = k.repeat_interleave(each, dim=1), v.repeat_interleave(each, dim=1)
        mixed = functional.scaled_dot_product_attention(
            q, k, v, is_causal=self.causal, scale=self.scale
        )
        rows = mixed.transpose(1, 2).flatten(2).transpose(1, 2)
        return torch.unflatten(rows, 2, x.shape[2:])

    def extra_repr(self) -> str:
        """Return the heads for printing."""
        scale = "" if self.scale is None else f", scale={self.scale}"
        return f"{self.heads}, key_heads={self.key_heads}, causal={self.causal}{scale}"


def relative_positions(window: tuple[int, ...]) -> Tensor:
    """Return an index of the relative position of each pair of positions in a window."""
    axes = [torch.arange(size) for size in window]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
    apart = places[:, :, None] - places[:, None, :]
    index = torch.zeros_like(apart[0])
    for distances, size in zip(apart, window, strict=True):
        index = index * (2 * size - 1) + distances + size - 1
    return index


def regions(sizes: tuple[int, ...], window: tuple[int, ...], shift: tuple[int, ...]) -> Tensor:
    """Return a region number per position of a rolled map; regions were contiguous before."""
    region = torch.zeros(sizes, dtype=torch.int64)
    for axis, (size, width, step) in enumerate(zip(sizes, window, shift, strict=True)):
        places = torch.arange(size)
        part = (places >= size - width).long() + (places >= size - step).long()
        shape = [1] * len(sizes)
        shape[axis] = size
        region = 3 * region + (part if step else torch.zeros_like(part)).view(shape)
    return region


class WindowAttention(nn.Module):
    """Attention within windows that tile a map, which may be shifted by `shift` positions.

    Windows that cross the border after the shift are split there. The bias of a pair of positions
    is learned for each head and relative position. Windows of a grid have strides.
    """

    relative_position_index: Tensor
    apart: Tensor  # pairs of positions of a window that are not neighbours in the map

    def __init__(
        self,
        heads: int,
        window: tuple[int, ...],
        shift: tuple[int, ...],
        sizes: tuple[int, ...],
        relative_bias: bool = True,
        grid: bool = False,
        scale: float | None = None,
    ) -> None:
        super().__init__()
        self.heads, self.window, self.shift, self.sizes = heads, window, shift, sizes
        self.grid, self.scale = grid, scale
        self.relative_position_bias_table = None
        if relative_bias:
            distances = prod(2 * size - 1 for size in window)
            self.relative_position_bias_table = nn.Parameter(torch.empty(distances, heads))
            nn.init.trunc_normal_(self.relative_position_bias_table, std=0.02)
            index = relative_positions(window)
            self.register_buffer("relative_position_index", index, persistent=False)
        if any(shift):
            parts = self._windows(regions(sizes, window, shift)[None, None].float()).flatten(2)
            apart = parts[:, :, None] != parts[:, :, :, None]
            self.register_buffer("apart", apart.squeeze(0)[:, None], persistent=False)

    def _windows(self, x: Tensor) -> Tensor:
        """Return the windows of a map: (N, windows, positions, C)."""
        batch, channels, *sizes = x.shape
        rank = len(sizes)
        split = [
            part
            for size, width in zip(sizes, self.window, strict=True)
            for part in ((width, size // width) if self.grid else (size // width, width))
        ]
        tiles, inside = range(2, 2 + 2 * rank, 2), range(3, 2 + 2 * rank, 2)
        if self.grid:
            tiles, inside = inside, tiles
        x = x.reshape(batch, channels, *split).permute(0, *tiles, *inside, 1)
        return x.reshape(batch, -1, prod(self.window), channels)

    def forward(self, x: Tensor) -> Tensor:
        """Return the concatenated heads at the positions of the queries."""
        axes = tuple(range(2, x.dim()))
        if any(self.shift):
            x = x.roll([-step for step in self.shift], axes)
        windows = torch.unflatten(self._windows(x), -1, (3, self.heads, -1))
        parts = windows.permute(3, 0, 1, 4, 2, 5).clone(memory_format=torch.contiguous_format)
        q, k, v = parts.unbind(0)
        scale = q.shape[-1] ** -0.5 if self.scale is None else self.scale
        scores = q @ k.transpose(-2, -1) * scale
        if self.relative_position_bias_table is not None:
            bias = self.relative_position_bias_table[self.relative_position_index]
            scores = scores + bias.permute(2, 0, 1)
        if any(self.shift):
            scores = scores.masked_fill(self.apart, -torch.inf)
        mixed = (scores.softmax(-1) @ v).transpose(2, 3).flatten(3)
        out = self._map(mixed)
        return out.roll(self.shift, axes) if any(self.shift) else out

    def _map(self, windows: Tensor) -> Tensor:
        """Return the map that windows tile."""
        batch, _, _, channels = windows.shape
        rank = len(self.sizes)
        tiles = [size // width for size, width in zip(self.sizes, self.window, strict=True)]
        x = windows.reshape(batch, *tiles, *self.window, channels)
        pairs = [(place, place + rank) for place in range(1, 1 + rank)]
        order = [axis for pair in pairs for axis in (reversed(pair) if self.grid else pair)]
        return x.permute(0, 1 + 2 * rank, *order).reshape(batch, channels, *self.sizes)

    def extra_repr(self) -> str:
        """Return the heads and the windows for printing."""
        return f"{self.heads}, window={self.window}, shift={self.shift}"
