"""Specs of modules whose layers are held by modules in various ways."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

from archscope.folding.fold import readable
from archscope.importers.torch import from_module


class _Unit(nn.Module):
    """A bottleneck whose layers are modules in modules, as in ShuffleNet."""

    def __init__(self, channels: int, out: int, stride: int = 1) -> None:
        super().__init__()
        wide = 2 * channels
        self.expand = nn.Sequential(_conv_bn(channels, wide), nn.ReLU())
        self.middle = _conv_bn(wide, wide, 3, stride, wide)
        self.project = _conv_bn(wide, out)
        self.adds = channels == out

    def forward(self, x: Tensor) -> Tensor:
        y = self.project(self.middle(self.expand(x)))
        return torch.relu(x + y if self.adds else y)


def _conv_bn(
    channels: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1
) -> nn.Module:
    conv = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out))


def test_instances_that_other_modules_hold_are_written_alike() -> None:
    """The stem is a single module, and the layers of the units are in inner modules."""
    stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
    widths = (8, 16, 16, 16, 24, 24, 24, 24)
    units = [_Unit(a, b, 1 if a == b else 2) for a, b in pairwise(widths)]
    found = readable(from_module(nn.Sequential(stem, *units).eval(), (3, 16, 16)).graph)
    assert "- conv_bn_relu: {out: 8, kernel: 3}" in found.text
    assert len(found.text.splitlines()) < 45
