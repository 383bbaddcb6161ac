"""Shipped networks against every oracle."""

from __future__ import annotations

from typing import Any

import pytest

from archscope import load
from archscope.language import zoo
from archscope.verify import CHECKS, verify

# One of each kind of architecture; a smaller image where that changes no more than sizes.
REPRESENTATIVES = {
    "alexnet": 64,
    "densenet121": 64,
    "efficientnet_b0": 64,
    "ghostnet": 64,
    "googlenet_bn": 64,
    "hard_attention_cifar10": None,
    "lenet5": None,
    "mobilenet_v2": 64,
    "mobilenet_v3_small": 64,
    "multitask": None,
    "quadruplet": None,
    "regnet_y_400mf": 64,
    "resnet50": 64,
    "rir_cifar10": None,
    "shufflenet_v1_g3": 64,
    "shufflenet_v2_x1_0": 64,
    "siamese": None,
    "squeezenet1_1": 64,
    "triplet": None,
    "vgg16": 64,
}


NARROW: dict[str, dict[str, Any]] = {
    "alexnet": {"width": 0.125},
    "densenet121": {"growth": 8},
    "efficientnet_b0": {"width": 0.25},
    "ghostnet": {"width": 0.25},
    "googlenet_bn": {"width": 0.25},
    "resnet50": {"width": 0.25},
    "rir_cifar10": {"width": 8},
    "vgg16": {"width": 0.125, "hidden": [64, 64]},
}
"""Fewer channels, for what is slow with many: no check depends on how many there are."""

VARIANTS = {
    "attention92", "densenet161", "densenet169", "densenet201", "densenet264",
    "densenet_bc_190_40_cifar10", "efficientnet_b1", "inception_resnet_v2", "mobilenet_v1_025",
    "mobilenet_v1_050", "mobilenet_v1_075", "mobilenet_v2_035", "mobilenet_v2_050",
    "mobilenet_v2_075", "mobilenet_v2_140", "resnet101", "resnet110_cifar10", "resnet152",
    "resnet20_cifar10", "resnext101_32x4d", "resnext101_64x4d", "se_resnext101_32x4d", "senet154",
    "shufflenet_v1_g2", "shufflenet_v1_g3_x05", "shufflenet_v1_g4", "shufflenet_v1_g8",
    "shufflenet_v2_x1_5", "shufflenet_v2_x2_0", "wide_resnet101_2",
}  # fmt: skip
"""Networks that differ from another one in depth, width or groups alone."""


@pytest.mark.slow
@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_every_check_agrees(name: str) -> None:
    size = REPRESENTATIVES[name]
    graph = load(name, input=(3, size, size) if size else None, set=NARROW.get(name))
    small = verify(graph, only=tuple(check for check in CHECKS if check != "reference"))
    for check in small.checks:
        assert not check.differences, check.name
        assert check.compared >= len(graph.inference().inputs), check.note
    assert small.agrees


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(zoo()))
def test_shapes_alone_agree(name: str) -> None:
    """At full size: checks that run the module on tensors without numbers, or not at all."""
    only = ("params", "reference") if name in VARIANTS else ("params", "macs-torch", "reference")
    result = verify(load(name), only=only)
    for check in result.checks:
        assert not check.differences, check.name
