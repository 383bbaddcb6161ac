"""Modules that torch.nn lacks: merges of branches, ranges of channels, uneven padding."""

from __future__ import annotations

from functools import reduce
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Add(nn.Module):
    """Sum of tensors of one shape."""

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the sum."""
        return reduce(torch.add, tensors)


class Mul(nn.Module):
    """Product of tensors, broadcast."""

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the product."""
        return reduce(torch.mul, tensors)


class Concat(nn.Module):
    """Channels of all tensors behind one another."""

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the tensors joined along axis 1."""
        return torch.cat(tensors, dim=1)


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
    """Distance of two batches of flat descriptions, shape (N, 1)."""

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


class _Padded(nn.Module):
    """Pads unevenly before what it is mixed into; `pad` is in torch's order, last axis first."""

    fill = 0.0

    def __init__(self, *args: Any, pad: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pad = pad

    def forward(self, x: Tensor) -> Tensor:
        """Pad, then do what the other base does."""
        padded: Tensor = super().forward(functional.pad(x, self.pad, value=self.fill))
        return padded

    def extra_repr(self) -> str:
        """Return the padding behind what the other base prints."""
        return f"{super().extra_repr()}, pad={self.pad}"


class PaddedConv1d(_Padded, nn.Conv1d):
    """Conv1d with other padding before than behind."""


class PaddedConv2d(_Padded, nn.Conv2d):
    """Conv2d with other padding before than behind."""


class PaddedConv3d(_Padded, nn.Conv3d):
    """Conv3d with other padding before than behind."""


class PaddedMaxPool1d(_Padded, nn.MaxPool1d):
    """MaxPool1d with other padding before than behind; padding never wins."""

    fill = -torch.inf


class PaddedMaxPool2d(_Padded, nn.MaxPool2d):
    """MaxPool2d with other padding before than behind; padding never wins."""

    fill = -torch.inf


class PaddedMaxPool3d(_Padded, nn.MaxPool3d):
    """MaxPool3d with other padding before than behind; padding never wins."""

    fill = -torch.inf
