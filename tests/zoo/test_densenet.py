"""DenseNets: counts, torchvision, and the plain form's layer in torch."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from archscope import analyze, load
from tests.zoo.oracle import assert_same_output, torchvision

COUNTS = {
    "densenet121": (7978856, 2834161664),
    "densenet161": (28681000, 7727907072),
    "densenet169": (14149480, 3359843328),
    "densenet201": (20013928, 4291365888),
    "densenet264": (33337704, 5751653376),
    "densenet_bc_100_12_cifar10": (769162, 287929692),
    "densenet_bc_190_40_cifar10": (25624430, 9301945740),
    "densenet_40_12_cifar10": (1019722, 264812928),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str) -> None:
    graph = load(name)
    totals = analyze(graph).totals
    reference = dict(graph.reference)
    assert (totals.params, totals.macs) == COUNTS[name]
    assert (reference["params"], reference["macs"]) == COUNTS[name]


@pytest.mark.parametrize(
    "name, size, padding", [("densenet121", 2071, 1021), ("densenet169", 3351, 1661)]
)
def test_receptive_fields(name: str, size: int, padding: int) -> None:
    field = analyze(load(name)).receptive_field
    assert (field.size, field.stride, field.padding) == ((size,) * 2, (32, 32), (padding,) * 2)


@pytest.mark.parametrize("name", COUNTS)
def test_the_layers_of_the_name_are_there(name: str) -> None:
    digits = [int(part) for part in name.replace("densenet", "").split("_") if part.isdigit()]
    depth = 265 if name == "densenet264" else digits[0]  # the paper's depths give one more
    assert sum(node.op.name in ("conv", "linear") for node in load(name).nodes) == depth


@pytest.mark.parametrize("name", ["densenet121", "densenet161", "densenet169", "densenet201"])
def test_is_torchvision_s(name: str) -> None:
    assert_same_output(name, getattr(torchvision().models, name)(), (3, 48, 48))


class PlainLayer(nn.Module):
    """Batch norm, ReLU and 3x3 convolution, joined to what entered."""

    def __init__(self, channels: int, growth: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels)
        self.conv = nn.Conv2d(channels, growth, 3, padding=1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x, self.conv(self.norm(x).relu())], dim=1)


@pytest.mark.parametrize("last", [True, False])
def test_a_block_without_bottleneck_and_compression_against_torch(
    last: bool, tmp_path: Path
) -> None:
    theirs = nn.Sequential(*(PlainLayer(16 + 12 * i, 12) for i in range(3)))
    if not last:
        transition = nn.BatchNorm2d(52), nn.ReLU(), nn.Conv2d(52, 52, 1, bias=False)
        theirs.extend([*transition, nn.AvgPool2d(2)])
    spec = tmp_path / "block.yaml"
    spec.write_text(
        "extends: densenet_40_12_cifar10\ninput: [16, 9, 9]\n"
        f"layers: [{{dense_block: {{depth: 3, last: {str(last).lower()}}}}}]\n",
        "utf-8",
    )
    assert_same_output(str(spec), theirs, (16, 9, 9))
