"""Arithmetic of tensors, constants and learned tensors, and element-wise functions."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional


class Sub(nn.Module):
    """Difference of two tensors, broadcast."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the difference."""
        return a - b


class Div(nn.Module):
    """Quotient of two tensors, broadcast."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the quotient."""
        return a / b


class Maximum(nn.Module):
    """Maximum of two tensors, broadcast."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the larger of each pair of values."""
        return torch.maximum(a, b)


class Minimum(nn.Module):
    """Minimum of two tensors, broadcast."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the smaller of each pair of values."""
        return torch.minimum(a, b)


class Power(nn.Module):
    """A tensor to the power of another, broadcast."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the power."""
        return a**b


class ATan2(nn.Module):
    """The angles of points by their heights and widths, broadcast."""

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the angles in radians."""
        return torch.atan2(a, b)


class AddScalar(nn.Module):
    """A tensor plus a constant."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum."""
        return x + self.value

    def extra_repr(self) -> str:
        """Return the constant for printing."""
        return str(self.value)


class RSub(nn.Module):
    """A constant minus a tensor."""

    def __init__(self, value: float) -> None:
        super().__init__()
        self.value = value

    def forward(self, x: Tensor) -> Tensor:
        """Return the difference."""
        return self.value - x

    def extra_repr(self) -> str:
        """Return the constant for printing."""
        return str(self.value)


class Pow(nn.Module):
    """A tensor to the power of a constant."""

    def __init__(self, exponent: float) -> None:
        super().__init__()
        self.exponent = exponent

    def forward(self, x: Tensor) -> Tensor:
        """Return the power."""
        return x**self.exponent

    def extra_repr(self) -> str:
        """Return the constant for printing."""
        return str(self.exponent)


class Clamp(nn.Module):
    """A tensor clipped to values from `min` to `max`."""

    def __init__(self, min: float | None = None, max: float | None = None) -> None:
        super().__init__()
        self.min, self.max = min, max

    def forward(self, x: Tensor) -> Tensor:
        """Return the clipped values."""
        return x.clamp(self.min, self.max)

    def extra_repr(self) -> str:
        """Return the limits for printing."""
        return f"{self.min}, {self.max}"


class Unary(nn.Module):
    """An element-wise function, by its name in torch or in torch.nn.functional."""

    def __init__(self, function: str) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of the function."""
        library = torch if hasattr(torch, self.function) else functional
        value: Tensor = getattr(library, self.function)(x)
        return value

    def extra_repr(self) -> str:
        """Return the name for printing."""
        return self.function


class Learned(nn.Module):
    """A tensor combined with a learned one, or with a fixed one, which is a buffer."""

    def __init__(self, function: str, *size: int, fixed: bool = False) -> None:
        super().__init__()
        self.function = function
        neutral = function in ("mul", "div", "rdiv", "pow")
        initial = torch.ones(size) if neutral else torch.zeros(size)
        self.weight: Tensor
        if fixed:
            self.register_buffer("weight", initial)
        else:
            self.weight = nn.Parameter(initial)

    def forward(self, x: Tensor) -> Tensor:
        """Return the combination, broadcast along axes of size 1."""
        a, b = (self.weight, x) if self.function in ("rsub", "rdiv") else (x, self.weight)
        combine: Callable[..., Tensor] = getattr(torch, self.function.removeprefix("r"))
        return combine(a, b)

    def extra_repr(self) -> str:
        """Return the function and the shape for printing."""
        fixed = "" if isinstance(self.weight, nn.Parameter) else ", fixed=True"
        return f"{self.function}, {tuple(self.weight.shape)}{fixed}"
