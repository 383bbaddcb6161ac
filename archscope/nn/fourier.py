"""Fourier transforms of numbers that are pairs along the last axis."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Fourier(nn.Module):
    """A transform along axes, by its name in `torch.fft`.

    A complex number is a pair along the last axis. `size` is that of the last of the axes that
    `irfft` makes.
    """

    def __init__(
        self, kind: str, dims: tuple[int, ...], norm: str = "backward", size: int | None = None
    ) -> None:
        super().__init__()
        self.kind, self.dims, self.norm, self.size = kind, dims, norm, size

    def forward(self, x: Tensor) -> Tensor:
        """Return the transform."""
        return fourier_transform(x, self.kind, self.dims, self.norm, self.size)

    def extra_repr(self) -> str:
        """Return the arguments for printing."""
        size = f", size={self.size}" if self.size is not None else ""
        return f"{self.kind}, {self.dims}, norm={self.norm}{size}"


def fourier_transform(
    x: Tensor, kind: str, dims: tuple[int, ...], norm: str = "backward", size: int | None = None
) -> Tensor:
    """Return a Fourier transform of real numbers or pairs, as real numbers or pairs."""
    if kind == "rfft":
        return torch.view_as_real(torch.fft.rfftn(x, dim=dims, norm=norm))
    numbers = torch.view_as_complex(x.contiguous())
    if kind == "irfft":
        last = size or 2 * (numbers.shape[dims[-1]] - 1)
        sizes = [*(numbers.shape[dim] for dim in dims[:-1]), last]
        real: Tensor = torch.fft.irfftn(numbers, s=sizes, dim=dims, norm=norm)
        return real
    made = torch.fft.fftn if kind == "fft" else torch.fft.ifftn
    return torch.view_as_real(made(numbers, dim=dims, norm=norm))
