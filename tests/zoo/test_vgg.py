"""VGG: counts as published, outputs as torchvision's layers make them."""

from __future__ import annotations

from typing import Any

import pytest
from torch import nn

from archscope import analyze, load
from archscope.analysis.receptive_field import receptive_fields
from archscope.ir import Shape
from tests.zoo.oracle import assert_same_output, torchvision

LETTERS = {"vgg11": "A", "vgg13": "B", "vgg16": "D", "vgg19": "E"}
NETWORKS = [
    ("vgg11", 132_863_336, 7_609_090_048),
    ("vgg13", 133_047_848, 11_308_466_176),
    ("vgg16", 138_357_544, 15_470_264_320),
    ("vgg19", 143_667_240, 19_632_062_464),
    ("vgg11_bn", 132_868_840, 7_609_090_048),
    ("vgg13_bn", 133_053_736, 11_308_466_176),
    ("vgg16_bn", 138_365_992, 15_470_264_320),
    ("vgg19_bn", 143_678_248, 19_632_062_464),
    ("vgg13_cifar100", 9_824_676, 228_680_704),
]


def theirs_of(name: str, flat: int, hidden: list[int], classes: int) -> nn.Sequential:
    """Return torchvision's convolutions, an eighth as wide, with a small classifier."""
    base, _, kind = name.partition("_")
    vgg: Any = torchvision().models.vgg
    rows = [row if row == "M" else row // 8 for row in vgg.cfgs[LETTERS[base]]]
    features = vgg.make_layers(rows, batch_norm=kind == "bn")
    for part in features:
        if isinstance(part, nn.Conv2d):
            nn.init.kaiming_normal_(part.weight)
    parts: list[nn.Module] = [features, nn.Flatten()]
    for inside, out in zip([flat, *hidden], hidden, strict=False):
        parts += [nn.Linear(inside, out), nn.ReLU(), nn.Dropout()]
    return nn.Sequential(*parts, nn.Linear(hidden[-1], classes))


@pytest.mark.parametrize("name", [name for name, _, _ in NETWORKS])
def test_outputs_are_torchvision_s(name: str) -> None:
    cifar = name == "vgg13_cifar100"
    side, hidden, classes = (32, [64, 32], 100) if cifar else (224, [512, 512], 1000)
    theirs = theirs_of(name, 64 * (side // 32) ** 2, hidden, classes)
    assert_same_output(name, theirs, (3, side, side), {"width": 1 / 8})


@pytest.mark.parametrize(("name", "params", "macs"), NETWORKS)
def test_totals(name: str, params: int, macs: int) -> None:
    totals = analyze(load(name)).totals
    assert (totals.params, totals.macs) == (params, macs)


def test_rows_are_those_of_cs231n() -> None:
    graph = load("vgg16")
    rows = [
        (node.facts.elements, node.facts.params - node.out[0] * (node.op.name != "maxpool"))
        for node in graph.nodes
        if node.op.name in ("conv", "maxpool", "linear")
    ]
    assert rows[:3] == [(3_211_264, 1_728), (3_211_264, 36_864), (802_816, 0)]
    assert rows[-4:] == [(25_088, 0), (4_096, 102_760_448), (4_096, 16_777_216), (1_000, 4_096_000)]
    # The notes print 24M; these are the rows that they add up.
    assert sum(elements for elements, _ in rows) + 3 * 224 * 224 == 15_237_608


@pytest.mark.parametrize(
    ("pattern", "weights"),
    [
        ("INPUT 16x32x32 -> [CONV 16]*3", 27 * 16**2),
        ("INPUT 16x32x32 -> CONV 16 7x7", 49 * 16**2),
    ],
)
def test_three_small_windows_see_what_a_large_one_does(pattern: str, weights: int) -> None:
    graph = load(pattern)
    field = receptive_fields(graph).fields[graph.nodes[-1].name]
    assert field.axes and [axis.size for axis in field.axes] == [7, 7]
    biases = 16 * (len(graph.nodes) - 1)
    assert sum(node.facts.params for node in graph.nodes) == weights + biases


@pytest.mark.parametrize(
    ("settings", "out"), [({"width": 0.25}, (16, 224, 224)), ({"widths": [8] * 5}, (8, 224, 224))]
)
def test_width_scales_every_layer(settings: dict[str, Any], out: Shape) -> None:
    assert load("vgg16", set=settings).nodes[1].out == out
