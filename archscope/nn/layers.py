"""Modules that torch.nn lacks: merges, channel ranges, norms, pools and others."""

from __future__ import annotations

from functools import reduce
from math import prod
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.nn.rounding import LearnedRounding, rounded


class Add(nn.Module):
    """Sum of tensors of the same shape."""

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the sum."""
        return reduce(torch.add, tensors)


class Mul(nn.Module):
    """Product of tensors, broadcast."""

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the product."""
        return reduce(torch.mul, tensors)


class Concat(nn.Module):
    """Concatenation along an axis, by default the channels."""

    def __init__(self, axis: int = 1) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the concatenated tensors."""
        return torch.cat(tensors, dim=self.axis)

    def extra_repr(self) -> str:
        """Return the axis for printing."""
        return str(self.axis)


class Slice(nn.Module):
    """A range of the channels, as a view."""

    def __init__(self, start: int, stop: int) -> None:
        super().__init__()
        self.start, self.stop = start, stop

    def forward(self, x: Tensor) -> Tensor:
        """Return channels `start` to `stop`."""
        return x[:, self.start : self.stop]

    def extra_repr(self) -> str:
        """Return the range for printing."""
        return f"{self.start}, {self.stop}"


class Distance(nn.Module):
    """Distance between two batches of feature vectors, shape (N, 1)."""

    def __init__(self, metric: str) -> None:
        super().__init__()
        self.metric = metric

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the distance of each pair."""
        order = {"euclidean": 2, "manhattan": 1}[self.metric]
        distance: Tensor = torch.linalg.vector_norm(a - b, ord=order, dim=1, keepdim=True)
        return distance

    def extra_repr(self) -> str:
        """Return the metric for printing."""
        return self.metric


class MulScalar(nn.Module):
    """A tensor times a constant."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, x: Tensor) -> Tensor:
        """Return the product."""
        return x * self.factor

    def extra_repr(self) -> str:
        """Return the constant for printing."""
        return str(self.factor)


class DivScalar(nn.Module):
    """A tensor divided by a constant."""

    def __init__(self, divisor: float) -> None:
        super().__init__()
        self.divisor = divisor

    def forward(self, x: Tensor) -> Tensor:
        """Return the quotient."""
        return x / self.divisor

    def extra_repr(self) -> str:
        """Return the constant for printing."""
        return str(self.divisor)


class FakeQuantize(nn.Module):
    """A tensor rounded to `levels` multiples of a step, `zero` of them negative.

    A learned step is `scale` times e to the power of a parameter. Trainings may round to learned
    steps gradually: passes with gradients move values by a `share`, a number, to their levels.
    """

    share: Tensor | None = None

    def __init__(self, scale: float, zero: float, levels: int, *, learned: bool = False) -> None:
        super().__init__()
        self.scale, self.zero, self.levels = scale, zero, levels
        self.exponent = nn.Parameter(torch.zeros(())) if learned else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the nearest level; gradients pass between the outermost levels unchanged."""
        if self.exponent is None:
            step: Tensor | float = self.scale
        elif torch.is_grad_enabled():
            found = LearnedRounding.apply(  # type: ignore[no-untyped-call]
                x, self.exponent, self.scale, self.zero, self.levels, self.share
            )
            return cast("Tensor", found)
        else:
            step = self.scale * self.exponent.exp()
        placed = rounded(x.detach(), step, self.zero, self.levels)
        if not (x.requires_grad and torch.is_grad_enabled()):
            return placed
        inside = x.clamp(-self.zero * self.scale, (self.levels - 1 - self.zero) * self.scale)
        return inside + (placed - inside.detach())

    def extra_repr(self) -> str:
        """Return the numbers for printing."""
        learned = self.exponent is not None
        return f"{self.scale}, zero={self.zero}, levels={self.levels}, learned={learned}"


class LayerNorm(nn.LayerNorm):
    """LayerNorm over axis 1, the channels, of tensors of any rank."""

    def forward(self, x: Tensor) -> Tensor:
        """Return each position normalised over its channels."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class RMSNorm(nn.RMSNorm):
    """RMSNorm over axis 1, the channels, of tensors of any rank."""

    def forward(self, x: Tensor) -> Tensor:
        """Return each position divided by the root mean square of its channels."""
        return super().forward(x.movedim(1, -1)).movedim(-1, 1)


class Scale(nn.Module):
    """Learned factors of the channels, and optional shifts."""

    def __init__(self, channels: int, initial: float = 1.0, bias: bool = False) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.full((channels,), initial))
        self.bias = nn.Parameter(torch.zeros(channels)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        """Return channels times factors plus shifts."""
        shape = (-1, *(1 for _ in x.shape[2:]))
        scaled = x * self.weight.view(shape)
        return scaled if self.bias is None else scaled + self.bias.view(shape)

    def extra_repr(self) -> str:
        """Return the channels for printing."""
        return f"{self.weight.numel()}, bias={self.bias is not None}"


class StochasticDepth(nn.Module):
    """Sets whole images to 0 with probability `p` in training, and scales up the others."""

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Return the tensor, with dropped images set to 0 while training."""
        if not self.training or not self.p:
            return x
        kept = x.new_empty((x.shape[0], *(1 for _ in x.shape[1:]))).bernoulli_(1 - self.p)
        return x * kept.div_(1 - self.p)

    def extra_repr(self) -> str:
        """Return the probability for printing."""
        return str(self.p)


def _windows(x: Tensor, kernel: tuple[int, ...], stride: tuple[int, ...]) -> Tensor:
    """Return all windows as a view: (N, C, positions..., taps...)."""
    for axis, (size, step) in enumerate(zip(kernel, stride, strict=True), start=2):
        x = x.unfold(axis, size, step)
    return x


class StochasticPool(nn.Module):
    """Samples a value of each window in proportion to its size; at inference their weighted mean.

    If no value of a window is positive, all are equally likely.
    """

    def __init__(self, kernel: tuple[int, ...], stride: tuple[int, ...]) -> None:
        super().__init__()
        self.kernel, self.stride = kernel, stride

    def forward(self, x: Tensor) -> Tensor:
        """Return a sampled value of each window, or the weighted mean at inference."""
        windows = _windows(x, self.kernel, self.stride)
        windows = windows.clone(memory_format=torch.contiguous_format)
        windows = windows.flatten(2 + len(self.kernel))
        if self.training:
            with torch.no_grad():
                drawn = torch.multinomial(self._weights(windows).flatten(0, -2), 1)
            return windows.gather(-1, drawn.view(*windows.shape[:-1], 1)).squeeze(-1)
        weights = self._weights(windows)
        return (weights / weights.sum(dim=-1, keepdim=True) * windows).sum(dim=-1)

    @staticmethod
    def _weights(windows: Tensor) -> Tensor:
        positive = windows.clamp(min=0)
        return positive + (positive.sum(dim=-1, keepdim=True) == 0)

    def extra_repr(self) -> str:
        """Return kernel and stride for printing."""
        return f"{self.kernel}, stride={self.stride}"


class Maxout(nn.Module):
    """Maximum over each group of neighbouring channels."""

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, x: Tensor) -> Tensor:
        """Return the maxima."""
        return x.reshape(x.shape[0], -1, self.pieces, *x.shape[2:]).amax(dim=2)

    def extra_repr(self) -> str:
        """Return the size of a group for printing."""
        return str(self.pieces)


class LocallyConnected(nn.Module):
    """Convolution with its own weights at every position, for inputs of one size.

    `weight` is (positions, channels in * taps, channels out), `pad` is in torch's order.
    """

    def __init__(
        self,
        channels: int,
        out: int,
        positions: tuple[int, ...],
        kernel: tuple[int, ...],
        stride: tuple[int, ...],
        pad: tuple[int, ...],
        bias: bool = True,
    ) -> None:
        super().__init__()
        self.kernel, self.stride, self.pad, self.positions = kernel, stride, pad, positions
        taps = channels * prod(kernel)
        self.weight = nn.Parameter(torch.empty(prod(positions), taps, out))
        self.bias = nn.Parameter(torch.empty(out, *positions)) if bias else None
        bound = taps**-0.5
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """Return the product of each window with the matrix of its position."""
        windows = _windows(functional.pad(x, self.pad), self.kernel, self.stride)
        rank = len(self.kernel)
        order = (*range(2, 2 + rank), 0, 1, *range(2 + rank, 2 + 2 * rank))
        columns = windows.permute(order).clone(memory_format=torch.contiguous_format)
        columns = columns.flatten(0, rank - 1).flatten(2)
        out = torch.bmm(columns, self.weight).permute(1, 2, 0)
        out = out.reshape(x.shape[0], -1, *self.positions)
        return out if self.bias is None else out + self.bias

    def extra_repr(self) -> str:
        """Return the geometry for printing."""
        positions, taps, out = self.weight.shape
        return f"{taps}, {out}, positions={positions}, kernel={self.kernel}, stride={self.stride}"


class Reshape(nn.Module):
    """Reshape of each image."""

    def __init__(self, *size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Return the reshaped batch."""
        return x.reshape(x.shape[0], *self.size)

    def extra_repr(self) -> str:
        """Return the shape for printing."""
        return ", ".join(map(str, self.size))


class ChannelMean(nn.Module):
    """Mean over the channels at each position."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean along axis 1, which is kept with size 1."""
        return x.mean(dim=1, keepdim=True)


class ChannelMax(nn.Module):
    """Largest channel at each position."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the maximum along axis 1, which is kept with size 1."""
        return x.amax(dim=1, keepdim=True)


class TopK(nn.Module):
    """The k largest values of each position or channel, and zeros for the rest."""

    def __init__(self, k: int, along: str) -> None:
        super().__init__()
        self.k, self.along = k, along

    def forward(self, x: Tensor) -> Tensor:
        """Return the input with all but its largest values set to 0."""
        axis = {"channels": 1, "positions": 2}[self.along]
        rows = x if axis == 1 else x.flatten(2)
        largest, places = rows.topk(self.k, dim=axis, sorted=False)
        return torch.zeros_like(rows).scatter(axis, places, largest).view_as(x)

    def extra_repr(self) -> str:
        """Return the number and the axis for printing."""
        return f"{self.k}, {self.along}"
