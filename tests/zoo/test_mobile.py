"""Mobile and modern networks against torchvision, and against blocks written down here."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archscope import analyze, load
from archscope.build import build
from tests.zoo.oracle import assert_same_output, randomise, torchvision, weighted_in_order

COUNTED = [
    "mobilenet_v1", "mobilenet_v1_075", "mobilenet_v1_050", "mobilenet_v1_025",
    "mobilenet_v2", "mobilenet_v2_140", "mobilenet_v2_075", "mobilenet_v2_050", "mobilenet_v2_035",
    "mobilenet_v3_large", "mobilenet_v3_small", "mnasnet1_0", "mnasnet_a1",
    "efficientnet_b0", "efficientnet_b1", "regnet_x_400mf", "regnet_y_400mf",
    "shufflenet_v1_g1", "shufflenet_v1_g2", "shufflenet_v1_g3", "shufflenet_v1_g4",
    "shufflenet_v1_g8", "shufflenet_v1_g3_x05", "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0", "convnext_tiny", "ghostnet",
]  # fmt: skip

FIELDS = {
    "mobilenet_v2": (491, 32, 245),
    "mobilenet_v3_large": (595, 32, 297),
    "efficientnet_b0": (851, 32, 425),
    "mnasnet1_0": (843, 32, 421),
    "shufflenet_v2_x0_5": (527, 32, 263),
    "regnet_y_400mf": (575, 32, 287),
    "convnext_tiny": (1688, 32, 828),
}

SAME: dict[str, tuple[str, dict[str, Any]]] = {
    "mobilenet_v2": ("mobilenet_v2", {}),
    "mobilenet_v2_140": ("mobilenet_v2", {"width_mult": 1.4}),
    "mobilenet_v2_035": ("mobilenet_v2", {"width_mult": 0.35}),
    **{
        name: (name, {})
        for name in (
            "mobilenet_v3_large", "mobilenet_v3_small", "mnasnet1_0", "efficientnet_b0",
            "efficientnet_b1", "shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5",
            "shufflenet_v2_x2_0", "regnet_x_400mf", "regnet_y_400mf",
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("name", COUNTED)
def test_counts_are_the_published_ones(name: str) -> None:
    graph = load(name)
    reference = dict(graph.reference)
    assert sum(node.facts.params for node in graph.nodes) == reference["params"]
    assert sum(node.facts.macs for node in graph.nodes) == reference["macs"]


@pytest.mark.parametrize(
    ("name", "settings", "variant"),
    [
        ("mobilenet_v1", {"width": 0.25}, "mobilenet_v1_025"),
        ("mobilenet_v2", {"width": 0.35}, "mobilenet_v2_035"),
        ("shufflenet_v1_g3", {"groups": 8}, "shufflenet_v1_g8"),
        ("efficientnet_b0", {"depth": 1.1}, "efficientnet_b1"),
    ],
)
def test_a_variant_is_a_setting(name: str, settings: dict[str, Any], variant: str) -> None:
    ours, theirs = load(name, set=settings, input=(3, 240, 240)), load(variant, input=(3, 240, 240))
    assert [node.op for node in ours.nodes] == [node.op for node in theirs.nodes]


@pytest.mark.parametrize("name", FIELDS)
def test_receptive_field(name: str) -> None:
    field = analyze(load(name)).receptive_field
    assert (field.size, field.stride, field.padding) == tuple((one, one) for one in FIELDS[name])


@pytest.mark.parametrize("name", SAME)
def test_output_is_torchvision_s(name: str) -> None:
    network, settings = SAME[name]
    theirs = getattr(torchvision().models, network)(weights=None, **settings)
    assert_same_output(name, theirs, (3, 64, 64))


def tensors(module: nn.Module, batch: Tensor) -> list[Tensor]:
    """Return parameters and statistics in the order in which their modules run."""
    return [
        tensor
        for part in weighted_in_order(module, batch)
        for tensor in (*part.parameters(recurse=False), *part.buffers(recurse=False))
    ]


def test_convnext_is_torchvision_s() -> None:
    """There, 1x1 convolutions are linear layers, and blocks own the factors of layer scale."""
    torch.manual_seed(0)
    theirs = torchvision().models.convnext_tiny(weights=None).eval()
    randomise(theirs)
    for name, parameter in theirs.named_parameters():
        if name.endswith("layer_scale"):
            nn.init.uniform_(parameter, 0.5, 1.0)
    batch = torch.rand(2, 3, 64, 64)
    ours = build(load("convnext_tiny", input=(3, 64, 64))).eval()
    with torch.no_grad():
        for target, source in zip(tensors(ours, batch), tensors(theirs, batch), strict=True):
            target.copy_(source.reshape(target.shape))
        torch.testing.assert_close(ours(batch), theirs(batch), rtol=1e-5, atol=1e-5)


def test_convnext_drops_as_torchvision_does() -> None:
    theirs = torchvision().models.convnext_tiny(weights=None)
    expected = [m.p for m in theirs.modules() if type(m).__name__ == "StochasticDepth"]
    got = [n.op.p for n in load("convnext_tiny").nodes if n.op.name == "stochastic_depth"]
    assert got == pytest.approx(expected)


def conv_bn(inside: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> nn.Module:
    conv = nn.Conv2d(inside, out, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(out))


def separable(channels: int, out: int, stride: int) -> nn.Module:
    """Howard et al. 2017, Figure 3."""
    depthwise = conv_bn(channels, channels, 3, stride, channels)
    return nn.Sequential(depthwise, nn.ReLU(), conv_bn(channels, out), nn.ReLU())


class ShuffleUnit(nn.Module):
    """Zhang et al. 2018, Figure 2: (b), or with a stride (c)."""

    def __init__(self, channels: int, out: int, groups: int, first: int, stride: int) -> None:
        super().__init__()
        self.groups, self.stride = groups, stride
        self.reduce = conv_bn(channels, out // 4, groups=first)
        self.depthwise = conv_bn(out // 4, out // 4, 3, stride, out // 4)
        self.expand = conv_bn(out // 4, out - channels if stride > 1 else out, groups=groups)

    def forward(self, x: Tensor) -> Tensor:
        y = self.reduce(x).relu()
        n, c, h, w = y.shape
        y = y.view(n, self.groups, c // self.groups, h, w).transpose(1, 2).reshape(n, c, h, w)
        y = self.expand(self.depthwise(y))
        if self.stride == 1:
            return (x + y).relu()
        return torch.cat([y, nn.functional.avg_pool2d(x, 3, 2, 1)], dim=1).relu()


class Ghost(nn.Module):
    """Han et al. 2020, Figure 1b, with ratio 2."""

    def __init__(self, channels: int, out: int, linear: bool) -> None:
        super().__init__()
        self.main = conv_bn(channels, out // 2)
        self.cheap = conv_bn(out // 2, out // 2, 3, 1, out // 2)
        self.after = nn.Identity() if linear else nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        intrinsic = self.after(self.main(x))
        return torch.cat([intrinsic, self.after(self.cheap(intrinsic))], dim=1)


class Squeeze(nn.Module):
    """Hu et al. 2018, Figure 2."""

    def __init__(self, channels: int, width: int, gate: nn.Module) -> None:
        super().__init__()
        self.down, self.up = nn.Conv2d(channels, width, 1), nn.Conv2d(width, channels, 1)
        self.gate = gate

    def forward(self, x: Tensor) -> Tensor:
        gate: Tensor = self.gate(self.up(self.down(x.mean((2, 3), keepdim=True)).relu()))
        return x * gate


class Residual(nn.Module):
    """A chain beside a shortcut, which runs first."""

    def __init__(self, shortcut: nn.Module, *chain: nn.Module) -> None:
        super().__init__()
        self.shortcut, self.chain = shortcut, nn.Sequential(*chain)

    def forward(self, x: Tensor) -> Tensor:
        shortcut: Tensor = self.shortcut(x)
        return shortcut + self.chain(x)


def ghost_bottleneck(channels: int, hidden: int, out: int, stride: int) -> nn.Module:
    """Han et al. 2020, Figure 3, with squeeze-excite."""
    gate = Squeeze(hidden, hidden // 4, nn.Hardsigmoid())
    ghosts = Ghost(channels, hidden, linear=False), Ghost(hidden, out, linear=True)
    if stride == 1:
        return Residual(nn.Identity(), ghosts[0], gate, ghosts[1])
    shortcut = separable(channels, out, stride)
    assert isinstance(shortcut, nn.Sequential)
    strided = conv_bn(hidden, hidden, 5, stride, hidden)
    return Residual(shortcut[:-1], ghosts[0], strided, gate, ghosts[1])


def mnasnet_unit(channels: int, expand: int) -> nn.Module:
    """Tan et al. 2019, Figure 7b, with squeeze-excite."""
    hidden = expand * channels
    return Residual(
        nn.Identity(),
        nn.Sequential(conv_bn(channels, hidden), nn.ReLU()),
        nn.Sequential(conv_bn(hidden, hidden, 5, 1, hidden), nn.ReLU()),
        Squeeze(hidden, channels // 4, nn.Sigmoid()),
        conv_bn(hidden, channels),
    )


BLOCKS: list[tuple[str, str, int, nn.Module]] = [
    ("mobilenet_v1", "separable: {out: 16, stride: 2}", 8, separable(8, 16, 2)),
    ("shufflenet_v1_g3", "unit", 24, ShuffleUnit(24, 24, 3, 3, 1)),
    ("shufflenet_v1_g8", "unit", 64, ShuffleUnit(64, 64, 8, 8, 1)),
    (
        "shufflenet_v1_g3",
        "downsample_unit: {out: 48, groups_in: 1}",
        24,
        ShuffleUnit(24, 48, 3, 1, 2),
    ),
    (
        "ghostnet",
        "bottleneck: {row: {k: 5, e: 24, c: 8, se: 1, s: 1}}",
        8,
        ghost_bottleneck(8, 24, 8, 1),
    ),
    (
        "ghostnet",
        "bottleneck: {row: {k: 5, e: 24, c: 12, se: 1, s: 2}}",
        8,
        ghost_bottleneck(8, 24, 12, 2),
    ),
    (
        "mnasnet_a1",
        "stage: {row: {t: 3, k: 5, se: 1, c: 8, n: 1, s: 1}}",
        8,
        mnasnet_unit(8, 3),
    ),
]


@pytest.mark.parametrize(("network", "layer", "channels", "theirs"), BLOCKS)
def test_block_is_the_paper_s(
    network: str, layer: str, channels: int, theirs: nn.Module, tmp_path: Path
) -> None:
    spec = tmp_path / "block.yaml"
    spec.write_text(f"extends: {network}\nlayers:\n  - {layer}\n")
    assert_same_output(str(spec), theirs, (channels, 9, 9))
