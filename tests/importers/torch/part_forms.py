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


class Steps(nn.Module):
    """Columns as a sequence, whose steps are merged with the batch for a layer, as in CRNN."""

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.recurrent, self.layers = nn.GRU(8, 5, bidirectional=True), nn.Sequential(*layers)

    def forward(self, x: Tensor) -> Tensor:
        sequence, _ = self.recurrent(x.mean(2).permute(2, 0, 1))
        steps, images, channels = sequence.shape
        rows = self.layers(sequence.view(steps * images, channels))
        made: Tensor = rows.view(steps, images, -1).log_softmax(2).permute(1, 0, 2)
        return made


def _rows_of_other_steps(x: Tensor) -> Tensor:
    """Take some steps of merged ones, whose order then matters."""
    sequence = x.mean(2).permute(2, 0, 1)
    steps, images, channels = sequence.shape
    rows = sequence.reshape(steps * images, channels).relu()
    first = rows.view(3, -1, channels)[0]
    return first.view(steps // 3, images, channels).mean(0)


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
    "steps_in_rows": Ordinary(lambda x, m: m(x), Steps(nn.Linear(10, 7))),
    "norms_of_steps": Ordinary(
        lambda x, m: m(x), Steps(nn.BatchNorm1d(10), nn.Linear(10, 7), nn.ReLU(inplace=True))
    ),
}  # fmt: skip

OTHER_STEPS: nn.Module = Ordinary(_rows_of_other_steps)
"""Takes other rows than those of an image."""
