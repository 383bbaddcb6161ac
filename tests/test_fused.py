"""A network with folded batch norms computes the same as before."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from archscope import load
from archscope.build import Network, build
from archscope.fused import fused_network
from archscope.ir import Graph
from tests.nets import Net, chain


def trained(graph: Graph) -> Network:
    """Return a network whose norms do something."""
    torch.manual_seed(0)
    network = build(graph).eval()
    for module in network.modules():
        if isinstance(module, nn.modules.batchnorm._BatchNorm):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)
            nn.init.uniform_(module.running_var, 0.5, 2.0)
            if module.affine:
                nn.init.uniform_(module.weight, 0.5, 1.5)
                nn.init.uniform_(module.bias, -0.5, 0.5)
    return network


def norms(network: Network) -> int:
    modules = set(network.modules())
    return sum(isinstance(module, nn.modules.batchnorm._BatchNorm) for module in modules)


def check(graph: Graph, folded: int) -> None:
    network = trained(graph)
    inputs = tuple(torch.rand(2, *node.out) for node in graph.inputs)
    with torch.no_grad():
        before: Tensor = network(*inputs)
        fused = fused_network(network)
        after: Tensor = fused(*inputs)
    assert norms(network) - norms(fused) == folded
    assert not fused.training
    torch.testing.assert_close(after, before, rtol=1e-3, atol=1e-4 * float(before.abs().max()))


@pytest.mark.parametrize("name, folded", [("resnet18", 20), ("mobilenet_v2", 52)])
def test_outputs_are_equal(name: str, folded: int) -> None:
    check(load(name, input=(3, 32, 32)), folded)


def test_norms_before_convolutions_stay() -> None:
    graph = load("densenet121", input=(3, 32, 32))
    network = trained(graph)
    left = norms(fused_network(network))
    assert 0 < left < norms(network)
    check(graph, norms(network) - left)


@pytest.mark.parametrize(
    "layer, shape",
    [
        (("linear", {"out": 5}), (4,)),
        (("conv", {"out": 6, "kernel": 3, "groups": 2, "bias": False}), (4, 8)),
        (("conv_transpose", {"out": 6, "kernel": 3, "stride": 2}), (4, 8, 8)),
        (("conv", {"out": 6, "kernel": 1}), (4, 3, 3, 3)),
    ],
)
def test_every_kind_of_layer(layer: tuple[str, dict[str, object]], shape: tuple[int, ...]) -> None:
    check(chain(layer, ("batchnorm", {}), ("relu", {}), x=shape), 1)


def test_a_layer_that_another_reads_keeps_its_norm() -> None:
    net = Net(x=(3, 8, 8))
    conv = net("conv", "x", out=4, kernel=3, padding=1)
    norm = net("batchnorm", conv)
    check((net("add", conv, norm), net.graph())[1], 0)


def test_shared_layers_keep_their_norms() -> None:
    net = Net(x=(3, 8, 8))
    one = net("conv", "x", out=3, kernel=1, name="one")
    first = net("batchnorm", one)
    two = net("conv", first, out=3, kernel=1, name="two", shares="one")
    net("batchnorm", two)
    check(net.graph(), 0)
