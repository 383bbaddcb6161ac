"""Convolutions and pools with asymmetric padding."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Padded(nn.Module):
    """Mixin that pads asymmetrically first; `pad` is in torch's order, last axis first."""

    fill = 0.0

    def __init__(self, *args: Any, pad: tuple[int, ...], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.pad = pad

    def forward(self, x: Tensor) -> Tensor:
        """Pad, then apply the other base class."""
        padded: Tensor = super().forward(functional.pad(x, self.pad, value=self.fill))
        return padded

    def extra_repr(self) -> str:
        """Return the arguments of the other base class and the padding."""
        return f"{super().extra_repr()}, pad={self.pad}"


class PaddedConv1d(_Padded, nn.Conv1d):
    """Conv1d with asymmetric padding."""


class PaddedConv2d(_Padded, nn.Conv2d):
    """Conv2d with asymmetric padding."""


class PaddedConv3d(_Padded, nn.Conv3d):
    """Conv3d with asymmetric padding."""


class PaddedMaxPool1d(_Padded, nn.MaxPool1d):
    """MaxPool1d with asymmetric padding, which is never the maximum."""

    fill = -torch.inf


class PaddedMaxPool2d(_Padded, nn.MaxPool2d):
    """MaxPool2d with asymmetric padding, which is never the maximum."""

    fill = -torch.inf


class PaddedMaxPool3d(_Padded, nn.MaxPool3d):
    """MaxPool3d with asymmetric padding, which is never the maximum."""

    fill = -torch.inf


class _PaddedMean(_Padded):
    """Mixin for average pooling, which counts the padding or not."""

    count_include_pad: bool

    def forward(self, x: Tensor) -> Tensor:
        """Return the mean over each window."""
        mean = super().forward(x)
        if self.count_include_pad:
            return mean
        with torch.no_grad():  # the fraction of each window that is not padding
            share = super().forward(x.new_ones(1, 1, *x.shape[2:]))
        return mean / share


class PaddedAvgPool1d(_PaddedMean, nn.AvgPool1d):
    """AvgPool1d with asymmetric padding."""


class PaddedAvgPool2d(_PaddedMean, nn.AvgPool2d):
    """AvgPool2d with asymmetric padding."""


class PaddedAvgPool3d(_PaddedMean, nn.AvgPool3d):
    """AvgPool3d with asymmetric padding."""
