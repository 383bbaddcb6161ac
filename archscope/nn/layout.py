"""Views of tensors along other axes."""

from __future__ import annotations

from torch import Tensor, nn


class Permute(nn.Module):
    """Axes of each image in another order."""

    def __init__(self, *order: int) -> None:
        super().__init__()
        self.order = order

    def forward(self, x: Tensor) -> Tensor:
        """Return a view of the batch."""
        return x.permute(0, *(axis + 1 for axis in self.order))

    def extra_repr(self) -> str:
        """Return the order for printing."""
        return ", ".join(map(str, self.order))


class Select(nn.Module):
    """One element along an axis of the batch."""

    def __init__(self, index: int, axis: int) -> None:
        super().__init__()
        self.index, self.axis = index, axis

    def forward(self, x: Tensor) -> Tensor:
        """Return a view without the axis."""
        return x.select(self.axis, self.index)

    def extra_repr(self) -> str:
        """Return index and axis for printing."""
        return f"{self.index}, axis={self.axis}"
