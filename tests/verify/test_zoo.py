"""Shipped networks against every oracle."""

from __future__ import annotations

import pytest

from archscope import load
from archscope.spec import zoo
from archscope.verify import CHECKS, verify

# One of each kind of architecture; a smaller image where that changes no more than sizes.
REPRESENTATIVES = {
    "lenet5": None,
    "alexnet": (3, 64, 64),
    "vgg16": (3, 64, 64),
    "googlenet_bn": (3, 64, 64),
    "resnet50": (3, 64, 64),
    "densenet121": (3, 64, 64),
    "mobilenet_v2": (3, 64, 64),
    "shufflenet_v2_x1_0": (3, 64, 64),
    "squeezenet1_1": (3, 64, 64),
    "siamese": None,
}


@pytest.mark.slow
@pytest.mark.parametrize("name", REPRESENTATIVES)
def test_every_check_agrees(name: str) -> None:
    graph = load(name, input=REPRESENTATIVES[name])
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
