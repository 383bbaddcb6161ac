"""Residual networks: counts, torchvision, and the units that it lacks written out in torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope import analyze, load
from archscope.build import build
from tests.zoo.oracle import assert_same_output, torchvision

COUNTS = {
    "resnet18": (11_689_512, 1_814_073_344),
    "resnet34": (21_797_672, 3_663_761_408),
    "resnet50": (25_557_032, 4_089_184_256),
    "resnet101": (44_549_160, 7_801_405_440),
    "resnet152": (60_192_808, 11_513_626_624),
    "resnet50_v1": (25_557_032, 3_857_973_248),
    "preresnet50": (25_549_480, 3_857_973_248),
    "resnet20_cifar10": (272_474, 40_813_184),
    "resnet110_cifar10": (1_730_714, 253_149_824),
    "resnet_cifar100_seed": (17_495_780, 804_422_400),
    "resnext50_32x4d": (25_028_904, 4_230_479_872),
    "resnext101_32x4d": (44_177_704, 7_969_996_800),
    "resnext101_64x4d": (83_455_272, 15_460_270_080),
    "wrn28_10_cifar10": (36_479_194, 5_243_328_768),
    "wide_resnet50_2": (68_883_240, 11_398_021_120),
    "wide_resnet101_2": (126_886_696, 22_753_050_624),
    "rir_cifar10": (9_492_980, 1_279_279_104),
    "se_resnet50": (28_088_024, 4_091_699_200),
    "se_resnext50_32x4d": (27_559_896, 4_232_994_816),
    "se_resnext101_32x4d": (48_955_416, 7_974_739_968),
    "senet154": (115_088_984, 20_688_363_520),
    "cbam_resnet50": (28_089_624, 4_095_573_110),
    "attention56": (31_810_728, 6_270_836_736),
    "attention92": (52_466_344, 10_533_789_696),
    "hard_attention_cifar10": (94_891, 10_331_392),
}
"""Of the modules of torchvision 0.28 or pytorchcv 0.0.74, where they have the network."""


@pytest.mark.parametrize(("name", "counts"), COUNTS.items())
def test_totals(name: str, counts: tuple[int, int]) -> None:
    totals = analyze(load(name)).totals
    assert (totals.params, totals.macs) == counts


@pytest.mark.parametrize("name", COUNTS)
def test_width_and_classes_can_be_set(name: str) -> None:
    width = {"resnet_cifar100_seed": 16, "rir_cifar10": 16, "wrn28_10_cifar10": 2}.get(name, 0.5)
    width = 16 if name == "hard_attention_cifar10" else width
    graph = load(name, set={"width": width, "classes": 7})
    assert graph.by_name[graph.main.node].out == (7,)
    assert analyze(graph).totals.params < COUNTS[name][0] / 2


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("resnet18", {}),
        ("resnet34", {}),
        ("resnet50", {}),
        ("resnext50_32x4d", {}),
        ("wide_resnet50_2", {}),
        ("resnet101", {"depths": [1, 1, 2, 1]}),
        ("resnext101_64x4d", {"depths": [1, 1, 2, 1]}),
    ],
)
def test_output_is_torchvision_s(name: str, settings: dict[str, Any]) -> None:
    models = torchvision().models
    if settings:
        groups = {"groups": 64, "width_per_group": 4} if "64x4d" in name else {}
        unit = models.resnet.Bottleneck
        theirs = models.ResNet(unit, settings["depths"], **groups)
    else:
        theirs = getattr(models, name)()
    assert_same_output(name, theirs, (3, 64, 64), settings)


def conv(inside: int, out: int, kernel: int, stride: int = 1, **words: Any) -> nn.Conv2d:
    return nn.Conv2d(inside, out, kernel, stride, kernel // 2, **{"bias": False, **words})


def same_part(
    folder: Path, network: str, layers: str, theirs: nn.Module, shape: tuple[int, ...]
) -> None:
    """Hold layers written with the blocks of a network against a module with the same weights."""
    spec = folder / "part.yaml"
    spec.write_text(f"extends: {network}\ninput: {list(shape)}\nlayers: [{layers}]\n")
    assert_same_output(str(spec), theirs, shape)


class PreActivated(nn.Module):
    """Norm and ReLU before each convolution; a projection reads what the first ones leave."""

    def __init__(
        self, channels: list[int], kernels: list[int], strides: list[int], project: bool
    ) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(channels[0])
        steps: list[nn.Module] = []
        for i, (kernel, stride) in enumerate(zip(kernels, strides, strict=True)):
            if i:
                steps += [nn.BatchNorm2d(channels[i]), nn.ReLU()]
            steps.append(conv(channels[i], channels[i + 1], kernel, stride))
        self.residual = nn.Sequential(*steps)
        self.project = conv(channels[0], channels[-1], 1, max(strides)) if project else None

    def forward(self, x: Tensor) -> Tensor:
        active = functional.relu(self.norm(x))
        residual = self.residual(active)
        return residual + (x if self.project is None else self.project(active))


@pytest.mark.parametrize(
    ("layer", "theirs"),
    [
        ("bottleneck: {out: 16, stride_on: 1}", ([16, 4, 4, 16], [1, 3, 1], [1, 1, 1], False)),
        (
            "bottleneck: {out: 32, stride: 2, stride_on: 1}",
            ([16, 8, 8, 32], [1, 3, 1], [2, 1, 1], True),
        ),
        ("bottleneck: {out: 32, stride: 2}", ([16, 8, 8, 32], [1, 3, 1], [1, 2, 1], True)),
        ("basic: {out: 16}", ([16, 16, 16], [3, 3], [1, 1], False)),
        ("basic: {out: 32, stride: 2}", ([16, 32, 32], [3, 3], [2, 1], True)),
    ],
)
def test_preactivated_units(layer: str, theirs: Any, tmp_path: Path) -> None:
    same_part(tmp_path, "preresnet50", f"{{{layer}}}", PreActivated(*theirs), (16, 9, 9))


class Unit(nn.Module):
    """A residual with a gate on it beside a projection, then ReLU."""

    def __init__(self, residual: nn.Module, project: nn.Module | None) -> None:
        super().__init__()
        self.residual = residual
        self.project = project

    def forward(self, x: Tensor) -> Tensor:
        residual = self.residual(x)
        return functional.relu(residual + (x if self.project is None else self.project(x)))


class Squeeze(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(channels, channels // 16, 1)
        self.up = nn.Conv2d(channels // 16, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        squeezed = self.down(x.mean(dim=(2, 3), keepdim=True))
        return x * torch.sigmoid(self.up(functional.relu(squeezed)))


class ConvolutionalAttention(nn.Module):
    """Equations 2 and 3 of the paper."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.mlp = nn.Sequential(
            nn.Conv2d(channels, channels // 16, 1),
            nn.ReLU(),
            nn.Conv2d(channels // 16, channels, 1),
        )
        self.conv, self.norm = conv(2, 1, 7), nn.BatchNorm2d(1)

    def forward(self, x: Tensor) -> Tensor:
        mean = self.mlp(x.mean(dim=(2, 3), keepdim=True))
        x = x * torch.sigmoid(mean + self.mlp(x.amax(dim=(2, 3), keepdim=True)))
        looks = torch.cat([x.max(dim=1, keepdim=True).values, x.mean(dim=1, keepdim=True)], dim=1)
        return x * torch.sigmoid(self.norm(self.conv(looks)))


def residual(gate: type[nn.Module], halves: bool = False, strides: tuple[int, int] = (1, 2)) -> Any:
    """Return 32 -> 64 channels through 128 in 64 groups, or 16."""
    width, first, groups = (128, 64, 64) if halves else (16, 16, 1)
    return nn.Sequential(
        conv(32, first, 1, strides[0]), nn.BatchNorm2d(first), nn.ReLU(),
        conv(first, width, 3, strides[1], groups=groups), nn.BatchNorm2d(width), nn.ReLU(),
        conv(width, 64, 1), nn.BatchNorm2d(64), gate(64),
    )  # fmt: skip


def nothing(channels: int) -> nn.Module:
    return nn.Identity()


@pytest.mark.parametrize(
    ("network", "body", "kernel"),
    [
        ("resnet50", (nothing,), 1),
        ("resnet50_v1", (nothing, False, (2, 1)), 1),
        ("se_resnet50", (Squeeze,), 1),
        ("cbam_resnet50", (ConvolutionalAttention,), 1),
        ("senet154", (Squeeze, True), 3),
    ],
)
def test_units_with_gates(network: str, body: Any, kernel: int, tmp_path: Path) -> None:
    theirs = Unit(residual(*body), nn.Sequential(conv(32, 64, kernel, 2), nn.BatchNorm2d(64)))
    width = 128 if network == "senet154" else 16
    layer = f"{{bottleneck: {{width: {width}, out: 64, stride: 2}}}}"
    same_part(tmp_path, network, layer, theirs, (32, 8, 8))


def test_stem_of_senet154(tmp_path: Path) -> None:
    steps: list[nn.Module] = []
    for inside, out, stride in ((3, 8, 2), (8, 8, 1), (8, 16, 1)):
        steps += [conv(inside, out, 3, stride), nn.BatchNorm2d(out), nn.ReLU()]
    theirs = nn.Sequential(*steps, nn.MaxPool2d(3, 2, 1))
    same_part(tmp_path, "senet154", "{stem: {out: 8}}", theirs, (3, 32, 32))


class TwoStreams(nn.Module):
    """Equations of section 2 of ResNet in ResNet, both streams in one tensor."""

    def __init__(self, inside: int, out: int, stride: int) -> None:
        super().__init__()
        self.stay, self.cross_in = conv(inside, out, 3, stride), conv(inside, out, 3, stride)
        self.project = conv(inside, out, 1, stride) if (inside, stride) != (out, 1) else None
        self.pass_on, self.cross_out = conv(inside, out, 3, stride), conv(inside, out, 3, stride)
        self.norm = nn.BatchNorm2d(2 * out)

    def forward(self, x: Tensor) -> Tensor:
        r, t = x.chunk(2, dim=1)
        kept = self.stay(r) + self.cross_in(t)
        kept = kept + (r if self.project is None else self.project(r))
        passed = self.pass_on(t) + self.cross_out(r)
        return functional.relu(self.norm(torch.cat([kept, passed], dim=1)))


@pytest.mark.parametrize(("out", "stride"), [(8, 1), (16, 2), (8, 2)])
def test_resnet_in_resnet_unit(out: int, stride: int, tmp_path: Path) -> None:
    layer = f"{{unit: {{out: {out}, stride: {stride}}}}}"
    same_part(tmp_path, "rir_cifar10", layer, TwoStreams(8, out, stride), (16, 9, 9))


def unit16() -> PreActivated:
    return PreActivated([16, 4, 4, 16], [1, 3, 1], [1, 1, 1], False)


class SoftMask(nn.Module):
    """Figure 2 of Residual Attention Network with p = 1, t = 2, r = 1."""

    def __init__(self, depth: int) -> None:
        super().__init__()
        self.first, self.last = unit16(), unit16()
        self.down = nn.ModuleList(unit16() for _ in range(depth))
        self.up = nn.ModuleList(unit16() for _ in range(depth))
        self.skip = nn.ModuleList(unit16() for _ in range(depth - 1))
        self.trunk = nn.Sequential(unit16(), unit16())
        self.mask = nn.Sequential(
            nn.BatchNorm2d(16), nn.ReLU(), conv(16, 16, 1),
            nn.BatchNorm2d(16), nn.ReLU(), conv(16, 16, 1), nn.Sigmoid(),
        )  # fmt: skip

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        seen, y = [], x
        for unit in self.down:
            y = unit(functional.max_pool2d(y, 3, 2, 1))
            seen.append(y)
        seen.pop()
        for i, unit in enumerate(self.up):
            y = functional.interpolate(unit(y), scale_factor=2, mode="bilinear")
            if seen:
                beside = seen.pop()
                y = y + (beside + self.skip[i](beside))
        trunk = self.trunk(x)
        return self.last((1 + self.mask(y + trunk)) * trunk)


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_soft_mask(depth: int, tmp_path: Path) -> None:
    layer = f"{{attention: {{depth: {depth}}}}}"
    same_part(tmp_path, "attention56", layer, SoftMask(depth), (16, 16, 16))


def test_resnet_of_keras_pads_and_counts_as_tensorflow_does() -> None:
    graph = load("resnet_cifar100_seed")
    totals = analyze(graph).totals
    assert (totals.params, totals.buffers) == (17_495_780, 11_648)
    maps = [node.out[1] for node in graph.nodes if node.name.count(".") == 2]
    assert list(dict.fromkeys(maps)) == [30, 15, 8, 4]
    assert {node.out for node in graph.nodes[1:5]} == {(64, 30, 30)}
    norm = next(node.op for node in graph.nodes if node.op.name == "batchnorm")
    assert norm.torch((64, 30, 30)).kwargs == (("eps", 0.001), ("momentum", 0.01))


class KerasUnit(nn.Module):
    """TensorFlow pads a stride of 2 on an even map behind only."""

    def __init__(self) -> None:
        super().__init__()
        self.a, self.b = nn.Conv2d(8, 16, 3, 2), nn.Conv2d(16, 16, 3, padding=1)
        self.first, self.second = (nn.BatchNorm2d(16, eps=0.001) for _ in range(2))
        self.project = nn.Conv2d(8, 16, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.first(self.a(functional.pad(x, (0, 1, 0, 1)))))
        return functional.relu(self.second(self.b(y)) + self.project(x))


def test_unit_of_keras(tmp_path: Path) -> None:
    layer = "{basic: {out: 16, stride: 2}}"
    same_part(tmp_path, "resnet_cifar100_seed", layer, KerasUnit(), (8, 10, 10))


def test_hard_attention_lets_the_best_positions_through() -> None:
    torch.manual_seed(0)
    network = build(load("hard_attention_cifar10")).eval()
    seen: dict[str, Tensor] = {}

    def probe(name: str, value: Tensor) -> Tensor:
        seen[name] = value
        return value

    with torch.no_grad():
        network.run((torch.rand(2, 3, 32, 32),), probe)
    scores, gate = seen["hard_attention.sigmoid"], seen["hard_attention.top_k"]
    assert (gate > 0).sum(dim=(1, 2, 3)).tolist() == [16, 16]
    for score, kept in zip(scores.flatten(1), gate.flatten(1), strict=True):
        assert kept[kept > 0].min() >= score[kept == 0].max()
        assert torch.equal(kept[kept > 0], score[kept > 0])
    assert torch.equal(seen["hard_attention.mul"], seen["conv_bn_relu2.relu"] * gate)


def test_groups_divide_the_weights() -> None:
    name = "stage0.bottleneck0.conv_bn_relu1.conv_bn.conv"
    wide = load("resnet50", set={"group_width": 256}).by_name[name]
    grouped = load("resnet50", set={"groups": 8, "group_width": 32}).by_name[name]
    assert wide.facts.params == 256 * 256 * 3 * 3
    assert grouped.facts.params == 8 * 32 * 3 * 3 * 32
    assert wide.facts.macs == 8 * grouped.facts.macs
