"""Reductions along axes, and rolling, repeating and joining along them."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class Reduce(nn.Module):
    """A sum, mean, extreme, norm or deviation along axes, which are kept with size 1 or dropped."""

    def __init__(
        self, function: str, axes: tuple[int, ...], keep: bool = True, correction: int = 1
    ) -> None:
        super().__init__()
        self.function, self.axes, self.keep, self.correction = function, axes, keep, correction

    def forward(self, x: Tensor) -> Tensor:
        """Return the reduced tensor."""
        words: dict[str, Any] = {"dim": self.axes, "keepdim": self.keep}
        if self.function in ("l1", "l2"):
            norm: Tensor = torch.linalg.vector_norm(x, ord=int(self.function[1]), **words)
            return norm
        if self.function in ("std", "var"):
            words["correction"] = self.correction
        if self.function == "prod":  # torch supports a single axis only
            last = x.movedim(self.axes, tuple(range(-len(self.axes), 0)))
            product = last.flatten(-len(self.axes)).prod(-1)
            return product.reshape(self._kept(x)) if self.keep else product
        name = {"max": "amax", "min": "amin"}.get(self.function, self.function)
        reduced: Tensor = getattr(torch, name)(x, **words)
        return reduced

    def _kept(self, x: Tensor) -> list[int]:
        return [1 if axis in self.axes else size for axis, size in enumerate(x.shape)]

    def extra_repr(self) -> str:
        """Return the arguments for printing."""
        return f"{self.function}, {self.axes}, keep={self.keep}"


class Roll(nn.Module):
    """Values rolled along axes."""

    def __init__(self, steps: tuple[int, ...], axes: tuple[int, ...]) -> None:
        super().__init__()
        self.steps, self.axes = steps, axes

    def forward(self, x: Tensor) -> Tensor:
        """Return the moved values."""
        return x.roll(self.steps, self.axes)

    def extra_repr(self) -> str:
        """Return steps and axes for printing."""
        return f"{self.steps}, {self.axes}"


class Flip(nn.Module):
    """Axes in the reverse order."""

    def __init__(self, *axes: int) -> None:
        super().__init__()
        self.axes = axes

    def forward(self, x: Tensor) -> Tensor:
        """Return the reversed tensor."""
        return x.flip(self.axes)

    def extra_repr(self) -> str:
        """Return the axes for printing."""
        return ", ".join(map(str, self.axes))


class Expand(nn.Module):
    """Axes of size 1 expanded as a view."""

    def __init__(self, *size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, x: Tensor) -> Tensor:
        """Return the view of each image."""
        return x.expand(-1, *self.size)

    def extra_repr(self) -> str:
        """Return the shape for printing."""
        return ", ".join(map(str, self.size))


class Tile(nn.Module):
    """An axis repeated as a whole, or each of its values."""

    def __init__(self, times: int, axis: int, each: bool = False) -> None:
        super().__init__()
        self.times, self.axis, self.each = times, axis, each

    def forward(self, x: Tensor) -> Tensor:
        """Return the longer tensor."""
        if self.each:
            return x.repeat_interleave(self.times, self.axis)
        return torch.cat([x] * self.times, self.axis)

    def extra_repr(self) -> str:
        """Return the arguments for printing."""
        return f"{self.times}, axis={self.axis}, each={self.each}"


class Stack(nn.Module):
    """Tensors of the same shape stacked along a new axis."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, *tensors: Tensor) -> Tensor:
        """Return the stacked tensors."""
        return torch.stack(tensors, self.axis)

    def extra_repr(self) -> str:
        """Return the axis for printing."""
        return str(self.axis)


class Range(nn.Module):
    """A range along an axis, as a view."""

    def __init__(self, start: int, stop: int, axis: int, step: int = 1) -> None:
        super().__init__()
        self.start, self.stop, self.axis, self.step = start, stop, axis, step

    def forward(self, x: Tensor) -> Tensor:
        """Return the values of the range."""
        places = [slice(None)] * self.axis + [slice(self.start, self.stop, self.step)]
        return x[tuple(places)]

    def extra_repr(self) -> str:
        """Return the arguments for printing."""
        return f"{self.start}, {self.stop}, axis={self.axis}, step={self.step}"


class SliceScatter(nn.Module):
    """A tensor with a range along an axis replaced by another tensor."""

    def __init__(self, start: int, stop: int, axis: int, step: int = 1) -> None:
        super().__init__()
        self.start, self.stop, self.axis, self.step = start, stop, axis, step

    def forward(self, x: Tensor, part: Tensor) -> Tensor:
        """Return the tensor with the part in it."""
        if part.dim() < x.dim():
            part = part.unsqueeze(self.axis)
        return torch.slice_scatter(x, part, self.axis, self.start, self.stop, self.step)

    def extra_repr(self) -> str:
        """Return the arguments for printing."""
        return f"{self.start}, {self.stop}, axis={self.axis}, step={self.step}"


class CumSum(nn.Module):
    """Cumulative sums along an axis."""

    def __init__(self, axis: int) -> None:
        super().__init__()
        self.axis = axis

    def forward(self, x: Tensor) -> Tensor:
        """Return the sums."""
        return x.cumsum(self.axis)

    def extra_repr(self) -> str:
        """Return the axis for printing."""
        return str(self.axis)


class CumProd(CumSum):
    """Cumulative products along an axis."""

    def forward(self, x: Tensor) -> Tensor:
        """Return the products."""
        return x.cumprod(self.axis)


class Normalize(nn.Module):
    """A tensor divided by its Euclidean norm along an axis."""

    def __init__(self, axis: int, eps: float) -> None:
        super().__init__()
        self.axis, self.eps = axis, eps

    def forward(self, x: Tensor) -> Tensor:
        """Return the tensor of unit length."""
        return functional.normalize(x, dim=self.axis, eps=self.eps)

    def extra_repr(self) -> str:
        """Return axis and limit for printing."""
        return f"{self.axis}, eps={self.eps}"


class CosineSimilarity(nn.Module):
    """Cosine of the angle between two tensors along an axis, which is kept with size 1."""

    def __init__(self, axis: int, eps: float) -> None:
        super().__init__()
        self.axis, self.eps = axis, eps

    def forward(self, a: Tensor, b: Tensor) -> Tensor:
        """Return the cosines."""
        return functional.cosine_similarity(a, b, self.axis, self.eps).unsqueeze(self.axis)

    def extra_repr(self) -> str:
        """Return axis and limit for printing."""
        return f"{self.axis}, eps={self.eps}"


class PadChannels(nn.Module):
    """A tensor padded with a constant, including its channels; `pad` is in torch's order."""

    def __init__(self, pad: tuple[int, ...], value: float = 0.0) -> None:
        super().__init__()
        self.pad, self.value = pad, value

    def forward(self, x: Tensor) -> Tensor:
        """Return the padded tensor."""
        return functional.pad(x, self.pad, value=self.value)

    def extra_repr(self) -> str:
        """Return padding and constant for printing."""
        return f"{self.pad}, {self.value}"


class Fill(nn.Module):
    """A tensor with a range along an axis replaced by a constant."""

    def __init__(self, start: int, stop: int, axis: int, value: float = 0.0) -> None:
        super().__init__()
        self.start, self.stop, self.axis, self.value = start, stop, axis, value

    def forward(self, x: Tensor) -> Tensor:
        """Return the tensor with the constant in it."""
        part = torch.full_like(x.narrow(self.axis, self.start, self.stop - self.start), self.value)
        return torch.slice_scatter(x, part, self.axis, self.start, self.stop)

    def extra_repr(self) -> str:
        """Return the arguments for printing."""
        return f"{self.start}, {self.stop}, axis={self.axis}, value={self.value}"
