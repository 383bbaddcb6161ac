"""GoogLeNet, Inception, Inception-ResNet and Xception: counts, torchvision, blocks in torch."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archscope import analyze, load
from tests.zoo.oracle import assert_same_output, torchvision

COUNTS = {
    "googlenet": (6998552, 1582671872),
    "googlenet_bn": (6624904, 1498376192),
    "inception_v3": (23834568, 5713216096),
    "inception_v4": (42679816, 12253974624),
    "inception_resnet_v1": (23995624, 6308235360),
    "inception_resnet_v2": (55843464, 13155794016),
    "xception": (22855952, 8357403496),
}


@pytest.mark.parametrize("name", COUNTS)
def test_counts(name: str) -> None:
    graph = load(name)
    totals = analyze(graph).totals
    reference = dict(graph.reference)
    assert (totals.params, totals.macs) == COUNTS[name]
    assert (reference["params"], reference["macs"]) == COUNTS[name]


@pytest.mark.parametrize(
    "name, heads, params",
    [
        ("googlenet", {"aux1": 0.3, "aux2": 0.3}, 13378280),
        ("googlenet_bn", {"aux1": 0.3, "aux2": 0.3}, 13004888),
        ("inception_v3", {"aux": 0.4}, 27161264),
    ],
)
def test_auxiliary_heads_serve_training_only(
    name: str, heads: dict[str, float], params: int
) -> None:
    graph = load(name)
    aside = {output.name: output.weight for output in graph.outputs if output.train_only}
    assert aside == heads
    assert sum(node.facts.params for node in graph.nodes) == params


def test_receptive_field_of_googlenet_bn() -> None:
    field = analyze(load("googlenet_bn")).receptive_field
    assert (field.size, field.stride, field.padding) == ((379, 379), (32, 32), (167, 167))


@pytest.mark.parametrize("name", COUNTS)
def test_width_scales_every_layer_but_the_head(name: str) -> None:
    thin = analyze(load(name, set={"width": 0.25, "classes": 10})).totals
    assert thin.params < COUNTS[name][0] / 6


def test_googlenet_bn_is_torchvision_s() -> None:
    theirs = torchvision().models.googlenet(
        aux_logits=False, transform_input=False, init_weights=False
    )
    assert_same_output("googlenet_bn", theirs, (3, 90, 90))  # odd and even sizes on the way


def test_inception_v3_is_torchvision_s() -> None:
    theirs = torchvision().models.inception_v3(
        aux_logits=False, transform_input=False, init_weights=False
    )
    assert_same_output("inception_v3", theirs, (3, 107, 107))


class Joined(nn.Module):
    """Branches side by side, then what follows them."""

    def __init__(self, branches: Iterable[nn.Module], *after: nn.Module) -> None:
        super().__init__()
        self.branches, self.after = nn.ModuleList(branches), nn.Sequential(*after)

    def forward(self, x: Tensor) -> Tensor:
        joined: Tensor = self.after(torch.cat([branch(x) for branch in self.branches], dim=1))
        return joined


class Residual(nn.Module):
    """relu(shortcut(x) + scale * body(x)), or the same without the ReLU."""

    def __init__(
        self,
        body: nn.Module,
        shortcut: nn.Module | None = None,
        scale: float = 1,
        relu: bool = False,
    ) -> None:
        super().__init__()
        self.shortcut, self.body = shortcut or nn.Identity(), body
        self.scale, self.relu = scale, relu

    def forward(self, x: Tensor) -> Tensor:
        total = self.shortcut(x) + self.scale * self.body(x)
        return total.relu() if self.relu else total


def cbr(channels: int, out: int, high: int = 1, wide: int | None = None, **more: Any) -> nn.Module:
    """Return convolution, batch norm with Inception's eps, ReLU; sizes are kept."""
    kernel = high, wide or high
    padding = kernel[0] // 2, kernel[1] // 2
    conv = nn.Conv2d(channels, out, kernel, padding=padding, bias=False, **more)
    return nn.Sequential(conv, nn.BatchNorm2d(out, eps=0.001), nn.ReLU())


def conv_relu(channels: int, out: int, kernel: int = 1) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, out, kernel, padding=kernel // 2), nn.ReLU())


def separable(channels: int, out: int) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False),
        nn.Conv2d(channels, out, 1, bias=False),
        nn.BatchNorm2d(out),
    )


def googlenet_3a() -> nn.Module:
    return Joined(
        [
            conv_relu(192, 64),
            nn.Sequential(conv_relu(192, 96), conv_relu(96, 128, 3)),
            nn.Sequential(conv_relu(192, 16), conv_relu(16, 32, 5)),
            nn.Sequential(nn.MaxPool2d(3, 1, 1), conv_relu(192, 32)),
        ]
    )


def v4_c() -> nn.Module:
    def fan(channels: int) -> nn.Module:
        return Joined([cbr(channels, 256, 1, 3), cbr(channels, 256, 3, 1)])

    return Joined(
        [
            cbr(64, 256),
            nn.Sequential(cbr(64, 384), fan(384)),
            nn.Sequential(cbr(64, 384), cbr(384, 448, 3, 1), cbr(448, 512, 1, 3), fan(512)),
            nn.Sequential(nn.AvgPool2d(3, 1, 1, count_include_pad=False), cbr(64, 256)),
        ]
    )


def inception_resnet_a() -> nn.Module:
    branches = [
        cbr(320, 32),
        nn.Sequential(cbr(320, 32), cbr(32, 32, 3)),
        nn.Sequential(cbr(320, 32), cbr(32, 48, 3), cbr(48, 64, 3)),
    ]
    return Residual(Joined(branches, nn.Conv2d(128, 320, 1)), scale=0.17, relu=True)


def inception_resnet_b(active: bool) -> nn.Module:
    tower = nn.Sequential(cbr(64, 128), cbr(128, 160, 1, 7), cbr(160, 192, 7, 1))
    body = Joined([cbr(64, 192), tower], nn.Conv2d(384, 64, 1))
    return Residual(body, scale=0.1 if active else 1, relu=active)


def xception_entry() -> nn.Module:
    body = nn.Sequential(
        nn.ReLU(), separable(64, 256), nn.ReLU(), separable(256, 96), nn.MaxPool2d(3, 2, 1)
    )
    shortcut = nn.Sequential(nn.Conv2d(64, 96, 1, stride=2, bias=False), nn.BatchNorm2d(96))
    return Residual(body, shortcut)


def xception_middle() -> nn.Module:
    parts = [part for _ in range(3) for part in (nn.ReLU(), separable(728, 728))]
    return Residual(nn.Sequential(*parts))


@pytest.mark.parametrize(
    "network, layer, theirs, channels",
    [
        (
            "googlenet",
            "inception: {c1: 64, r3: 96, c3: 128, r5: 16, c5: 32, pool: 32}",
            googlenet_3a(),
            192,
        ),
        ("inception_v4", "inception_c", v4_c(), 64),
        (
            "inception_resnet_v2",
            "residual_a: {far: [32, 48, 64], scale: 0.17}",
            inception_resnet_a(),
            320,
        ),
        (
            "inception_resnet_v2",
            "residual: {near: 192, far: [128, 160, 192], n: 7, scale: 0.1}",
            inception_resnet_b(active=True),
            64,
        ),
        (
            "inception_resnet_v1",
            "residual: {near: 192, far: [128, 160, 192], n: 7, scale: 1, active: false}",
            inception_resnet_b(active=False),
            64,
        ),
        ("xception", "shrink: {middle: 256, out: 96}", xception_entry(), 64),
        ("xception", "middle_flow", xception_middle(), 728),
    ],
)
def test_blocks_against_torch(
    network: str, layer: str, theirs: nn.Module, channels: int, tmp_path: Path
) -> None:
    spec = tmp_path / "block.yaml"
    spec.write_text(
        f"extends: {network}\ninput: [{channels}, 9, 10]\nlayers:\n  - {layer}\n", "utf-8"
    )
    assert_same_output(str(spec), theirs, (channels, 9, 10))
