"""Inverted residuals as papers list them."""

from __future__ import annotations

import pytest

from archscope import load
from archscope.search.inverted_residuals import inverted_residuals

MOBILENET_V2 = [  # t, c, n, s of Sandler et al. 2018, table 2
    (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
    (6, 320, 1, 1),
]  # fmt: skip


def test_mobilenet_v2_is_its_table() -> None:
    units = inverted_residuals(load("mobilenet_v2"))
    wanted = []
    reduction = 2
    for expansion, channels, number, stride in MOBILENET_V2:
        reduction *= stride
        wanted += [(expansion, channels, reduction, 3, False)] * number
    assert [
        (unit.expansion, unit.leaving, unit.reduction, unit.kernel, unit.gated) for unit in units
    ] == wanted


def test_gates_and_kernels_of_mnasnet_a1() -> None:
    units = inverted_residuals(load("mnasnet_a1"))
    stages = {unit.leaving: (unit.kernel, unit.gated) for unit in units}
    assert stages == {
        16: (3, False), 24: (3, False), 40: (5, True), 80: (3, False), 112: (3, True),
        160: (5, True), 320: (3, False),
    }  # fmt: skip


@pytest.mark.parametrize("name", ["mobilenet_v1", "efficientnet_b1", "mobilenet_v3_small"])
def test_no_convolution_belongs_to_two_units(name: str) -> None:
    graph = load(name)
    nodes = [node for unit in inverted_residuals(graph) for node in unit.nodes]
    assert len(nodes) == len(set(nodes))
    units = inverted_residuals(graph)
    assert sum(unit.macs for unit in units) == sum(graph.facts[node].macs for node in nodes)


@pytest.mark.parametrize("name", ["resnet50", "vgg16", "lenet5"])
def test_networks_without(name: str) -> None:
    assert inverted_residuals(load(name)) == ()
