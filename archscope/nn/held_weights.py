"""Layers with weight norm, and layers whose weights are constants."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class _WeightNorm(nn.Module):
    """Mixin for layers that hold the direction and the length of their weights."""

    weight: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        weight = self.weight.detach()
        del self.weight
        self.weight_g = nn.Parameter(torch.norm_except_dim(weight, 2, 0))
        self.weight_v = nn.Parameter(weight)

    def computed(self) -> Tensor:
        """Return the weights."""
        weight: Tensor = torch._weight_norm(self.weight_v, self.weight_g, 0)
        return weight


class WeightNormConv1d(_WeightNorm, nn.Conv1d):
    """Conv1d with weight norm."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution."""
        convolved: Tensor = self._conv_forward(x, self.computed(), self.bias)
        return convolved


class WeightNormConv2d(_WeightNorm, nn.Conv2d):
    """Conv2d with weight norm."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution."""
        convolved: Tensor = self._conv_forward(x, self.computed(), self.bias)
        return convolved


class WeightNormConv3d(_WeightNorm, nn.Conv3d):
    """Conv3d with weight norm."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the convolution."""
        convolved: Tensor = self._conv_forward(x, self.computed(), self.bias)
        return convolved


class WeightNormLinear(_WeightNorm, nn.Linear):
    """Linear with weight norm."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the product."""
        return functional.linear(x, self.computed(), self.bias)


class _Fixed(nn.Module):
    """Mixin for layers whose weights are a buffer."""

    weight: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        weight = self.weight.detach()
        del self.weight
        self.register_buffer("weight", weight)


class FixedConv1d(_Fixed, nn.Conv1d):
    """Conv1d with constant weights."""


class FixedConv2d(_Fixed, nn.Conv2d):
    """Conv2d with constant weights."""


class FixedConv3d(_Fixed, nn.Conv3d):
    """Conv3d with constant weights."""


class FixedConvTranspose1d(_Fixed, nn.ConvTranspose1d):
    """ConvTranspose1d with constant weights."""


class FixedConvTranspose2d(_Fixed, nn.ConvTranspose2d):
    """ConvTranspose2d with constant weights."""


class FixedConvTranspose3d(_Fixed, nn.ConvTranspose3d):
    """ConvTranspose3d with constant weights."""


class FixedLinear(_Fixed, nn.Linear):
    """Linear with constant weights."""


class FrozenBatchNorm(nn.Module):
    """Batch norm whose statistics, scale and shift are buffers."""

    def __init__(self, channels: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        for name, start in (("weight", 1), ("bias", 0), ("running_mean", 0), ("running_var", 1)):
            self.register_buffer(name, torch.full((channels,), float(start)))

    def forward(self, x: Tensor) -> Tensor:
        """Return each channel times a factor plus a shift."""
        names = ("weight", "bias", "running_mean", "running_var")
        weight, bias, mean, variance = (self.get_buffer(name) for name in names)
        shape = (-1, *(1 for _ in x.shape[2:]))
        factor = weight * (variance + self.eps).rsqrt()
        shift = bias - mean * factor
        return x * factor.view(shape) + shift.view(shape)

    def extra_repr(self) -> str:
        """Return channels and epsilon for printing."""
        return f"{self.get_buffer('weight').numel()}, eps={self.eps}"


class Prototypes(nn.Module):
    """Distances of a feature vector to learned ones."""

    def __init__(self, features: int, count: int, norm: float = 2.0) -> None:
        super().__init__()
        self.norm = norm
        self.weight = nn.Parameter(torch.randn(count, features))

    def forward(self, x: Tensor) -> Tensor:
        """Return the distances."""
        mode = "donot_use_mm_for_euclid_dist"
        return torch.cdist(x, self.weight, p=self.norm, compute_mode=mode)

    def extra_repr(self) -> str:
        """Return the sizes for printing."""
        return f"{self.weight.shape[1]}, {self.weight.shape[0]}, norm={self.norm}"


class IndexSelect(nn.Module):
    """Positions along an axis, selected by a constant index."""

    def __init__(self, index: tuple[int, ...], axis: int) -> None:
        super().__init__()
        self.axis = axis
        self.register_buffer("index", torch.tensor(index), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Return the values at these positions."""
        return x.index_select(self.axis, self.get_buffer("index"))

    def extra_repr(self) -> str:
        """Return index and axis for printing."""
        return f"{self.get_buffer('index').tolist()}, axis={self.axis}"


class ConcatLearned(nn.Module):
    """A learned or fixed tensor concatenated after or before another along an axis."""

    def __init__(self, axis: int, *size: int, before: bool = False, fixed: bool = False) -> None:
        super().__init__()
        self.axis, self.before = axis, before
        self.weight: Tensor
        if fixed:
            self.register_buffer("weight", torch.zeros(size))
        else:
            self.weight = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Tensor:
        """Return both together."""
        held = self.weight.expand(x.shape[0], *self.weight.shape)
        return torch.cat([held, x] if self.before else [x, held], self.axis)

    def extra_repr(self) -> str:
        """Return axis and shape for printing."""
        return f"axis={self.axis}, {tuple(self.weight.shape)}, before={self.before}"


class ParameterLayer(nn.Module):
    """A learned or fixed tensor for each image, whatever the input is."""

    def __init__(self, *size: int, fixed: bool = False) -> None:
        super().__init__()
        self.weight: Tensor
        if fixed:
            self.register_buffer("weight", torch.zeros(size))
        else:
            self.weight = nn.Parameter(0.02 * torch.randn(size))

    def forward(self, x: Tensor) -> Tensor:
        """Return the tensor for each image."""
        return self.weight.repeat(x.shape[0], *(1 for _ in self.weight.shape))

    def extra_repr(self) -> str:
        """Return the shape for printing."""
        return str(tuple(self.weight.shape))
