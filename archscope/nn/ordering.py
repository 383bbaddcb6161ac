"""Sorting along an axis, indices of values, and values at indices."""

from __future__ import annotations

from math import prod
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Ordered(nn.Module):
    def __init__(self, axis: int, descending: bool = False, k: int | None = None) -> None:
        super().__init__()
        self.axis, self.descending, self.k = axis, descending, k

    def in_order(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the values sorted along the axis, and their indices."""
        if self.k is None:
            values, places = x.sort(self.axis, self.descending)
        else:
            values, places = x.topk(self.k, self.axis, self.descending)
        return values, places

    def extra_repr(self) -> str:
        """Return the arguments for printing."""
        return f"axis={self.axis}, descending={self.descending}, k={self.k}"


class Sort(_Ordered):
    """Values sorted along an axis, or the first `k` of them."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the values."""
        return self.in_order(x)[0]


class ArgSort(_Ordered):
    """The indices of values sorted along an axis, or of the first `k` of them."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the indices, int64."""
        return self.in_order(x)[1]


class ArgMax(nn.Module):
    """The index of the largest or the smallest value along an axis."""

    def __init__(self, axis: int, keep: bool = True, smallest: bool = False) -> None:
        super().__init__()
        self.axis, self.keep, self.smallest = axis, keep, smallest

    def forward(self, x: Tensor) -> Tensor:
        """Return the indices, int64."""
        function = torch.argmin if self.smallest else torch.argmax
        return function(x, self.axis, self.keep)

    def extra_repr(self) -> str:
        """Return the arguments for printing."""
        return f"axis={self.axis}, keep={self.keep}, smallest={self.smallest}"


class Gather(nn.Module):
    """Values at indices along an axis, which are a second tensor."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        """Return the values, as many as there are indices."""
        return x.gather(self.axis, index.long())

    def extra_repr(self) -> str:
        """Return the axis for printing."""
        return f"axis={self.axis}"


class OneHot(nn.Module):
    """A one-hot encoding of class indices along a new last axis."""

    def __init__(self, classes: int) -> None:
        super().__init__()
        self.classes = classes

    def forward(self, x: Tensor) -> Tensor:
        """Return the vectors in the type of the input, or torch's default for integers."""
        kind = x.dtype if x.is_floating_point() else torch.get_default_dtype()
        return functional.one_hot(x.long(), self.classes).to(kind)

    def extra_repr(self) -> str:
        """Return the number of classes for printing."""
        return str(self.classes)


class MaxPoolIndices(nn.Module):
    """The positions in the map, numbered row by row, of the maximum of each window."""

    def __init__(
        self, kernel_size: Any, stride: Any, padding: Any = 0, dilation: Any = 1,
        ceil_mode: bool = False,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding
        self.dilation, self.ceil_mode = dilation, ceil_mode

    def forward(self, x: Tensor) -> Tensor:
        """Return the positions, int64."""
        pools = (functional.max_pool1d, functional.max_pool2d, functional.max_pool3d)
        pool: Any = pools[x.dim() - 3]
        found: tuple[Tensor, Tensor] = pool(
            x.detach(), self.kernel_size, self.stride, self.padding, self.dilation,
            ceil_mode=self.ceil_mode, return_indices=True,
        )  # fmt: skip
        return found[1]

    def extra_repr(self) -> str:
        """Return the arguments for printing."""
        return (
            f"kernel_size={self.kernel_size}, stride={self.stride}, padding={self.padding},"
            f" dilation={self.dilation}, ceil_mode={self.ceil_mode}"
        )


class MaxUnpool(nn.Module):
    """Values put to positions in a map, which are a second tensor; the others are zero."""

    def __init__(
        self, kernel_size: Any, stride: Any, padding: Any, size: int | tuple[int, ...]
    ) -> None:
        super().__init__()
        self.kernel_size, self.stride, self.padding = kernel_size, stride, padding  # of the pool
        self.size = size

    def forward(self, x: Tensor, index: Tensor) -> Tensor:
        """Return the map, (N, C, *size)."""
        size = (self.size,) * (x.dim() - 2) if isinstance(self.size, int) else self.size
        zeros = x.new_zeros(*x.shape[:2], prod(size))
        filled = zeros.scatter(2, index.long().flatten(2), x.flatten(2))
        return filled.view(*x.shape[:2], *size)

    def extra_repr(self) -> str:
        """Return the arguments for printing."""
        return f"{self.kernel_size}, {self.stride}, {self.padding}, {self.size}"
