"""Shipped networks against every oracle."""

from __future__ import annotations

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


@pytest.mark.slow
@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_every_check_agrees(name: str) -> None:
    size = REPRESENTATIVES[name]
    graph = load(name, input=(3, size, size) if size else None)
    small = verify(graph, only=tuple(check for check in CHECKS if check != "reference"))
    for check in small.checks:
        assert not check.differences, check.name
        assert check.compared >= len(graph.inference().inputs), check.note
    assert small.agrees


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(zoo()))
def test_shapes_alone_agree(name: str) -> None:
    """At full size: checks that run the module on tensors without numbers."""
    result = verify(load(name), only=("params", "macs-torch", "reference"))
    for check in result.checks:
        assert not check.differences, check.name
