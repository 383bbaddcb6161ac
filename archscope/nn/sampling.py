"""Resampling of maps: at positions given by a second tensor, and with antialiasing."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional


class GridSample(nn.Module):
    """A map sampled at the positions of a grid, which are coordinates from -1 to 1."""

    def __init__(self, mode: str, padding_mode: str, align_corners: bool) -> None:
        super().__init__()
        self.mode, self.padding_mode, self.align_corners = mode, padding_mode, align_corners

    def forward(self, x: Tensor, grid: Tensor) -> Tensor:
        """Return the map, of the size of the grid."""
        return functional.grid_sample(x, grid, self.mode, self.padding_mode, self.align_corners)

    def extra_repr(self) -> str:
        """Return the arguments for printing."""
        return f"{self.mode}, {self.padding_mode}, align_corners={self.align_corners}"


class AntialiasedResize(nn.Module):
    """A map resized with antialiasing: each position is a mean of all that it covers."""

    def __init__(self, size: tuple[int, ...], mode: str, align_corners: bool = False) -> None:
        super().__init__()
        self.size, self.mode, self.align_corners = size, mode, align_corners

    def forward(self, x: Tensor) -> Tensor:
        """Return the resized map."""
        return functional.interpolate(
            x, self.size, mode=self.mode, align_corners=self.align_corners, antialias=True
        )

    def extra_repr(self) -> str:
        """Return the arguments for printing."""
        return f"{self.size}, {self.mode}, align_corners={self.align_corners}"
