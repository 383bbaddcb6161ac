"""Layers on the parts of an image, such as frames and rows, that are folded into the batch."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from tests.importers.torch.ordinary_forms import Ordinary


class Parts(nn.Module):
    """A layer on both halves of the channels as two images, or on all rows as sequences."""

    def __init__(self, layer: nn.Module, rows: bool = False) -> None:
        super().__init__()
        self.layer, self.rows = layer, rows

    def forward(self, x: Tensor) -> Tensor:
        images, channels, height, width = x.shape
        if self.rows:
            parts = self.layer(x.transpose(1, 2).reshape(images * height, channels, width))
        else:
            parts = self.layer(x.view(images * 2, channels // 2, height, width))
        return parts.reshape(images, -1, *parts.shape[2:])


class Resized(nn.Module):
    """Resizing by a function."""

    def forward(self, x: Tensor) -> Tensor:
        mode = "linear" if x.dim() == 3 else "bilinear"
        smaller = functional.interpolate(x, scale_factor=0.5, mode=mode, align_corners=False)
        return functional.interpolate(smaller, size=x.shape[2:])


ON_MAPS: dict[str, nn.Module] = {
    "transposed": nn.ConvTranspose2d(4, 6, 2, 2), "instance_norm": nn.InstanceNorm2d(4),
    "learned_instance_norm": nn.InstanceNorm2d(4, affine=True), "resized": Resized(),
    "largest": nn.AdaptiveMaxPool2d((2, 3)), "pixel_shuffle": nn.PixelShuffle(2),
}  # fmt: skip
ON_ROWS: dict[str, nn.Module] = {
    "transposed": nn.ConvTranspose1d(8, 6, 3, 2, 1, 1), "instance_norm": nn.InstanceNorm1d(8),
    "resized": Resized(), "largest": nn.AdaptiveMaxPool1d(3),
}  # fmt: skip

PARTS: dict[str, nn.Module] = {
    **{f"{name}_of_parts": Ordinary(lambda x, parts: parts(x), Parts(layer))
       for name, layer in ON_MAPS.items()},
    **{f"{name}_of_rows": Ordinary(lambda x, parts: parts(x), Parts(layer, rows=True))
       for name, layer in ON_ROWS.items()},
}  # fmt: skip
