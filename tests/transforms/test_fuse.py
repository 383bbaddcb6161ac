"""Folded batch norms: the same function with fewer nodes, and never where it would not be."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from archscope import analyze, load
from archscope.analysis.batch_norms import foldable
from archscope.build import Network, build
from archscope.fused import fused_network, fused_weights
from archscope.ir import Graph, Output
from archscope.language import document
from archscope.language import graph as graph_of
from archscope.language.write import to_yaml
from archscope.transforms.fuse import fuse
from tests.nets import Net, chain
from tests.strategies import graphs


def lively(graph: Graph, dtype: torch.dtype = torch.float64) -> Network:
    """Return a network whose batch norms have statistics, scales and shifts of a trained one."""
    torch.manual_seed(0)
    network = build(graph).to(dtype).eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, _BatchNorm):
                assert module.running_mean is not None and module.running_var is not None
                module.running_mean.normal_(0, 0.3)
                module.running_var.uniform_(0.3, 2)
                if module.affine:
                    module.weight.uniform_(0.5, 1.5)
                    module.bias.normal_(0, 0.3)
    return network


def both(graph: Graph, dtype: torch.dtype = torch.float64) -> tuple[Any, Any]:
    """Return the outputs of a network and of its fused form."""
    network = lively(graph, dtype)
    fused = build(fuse(graph)).to(dtype).eval()
    fused.load_state_dict(fused_weights(graph, network.state_dict()), strict=True)
    torch.manual_seed(1)
    inputs = [torch.randn(2, *node.out, dtype=dtype) for node in graph.inputs]
    with torch.no_grad():
        return network(*[x.clone() for x in inputs]), fused(*inputs)


def close(one: Tensor, other: Tensor, share: float) -> bool:
    return bool((one - other).abs().max() <= share * one.abs().max())


@pytest.mark.parametrize(
    ("spec", "left"),
    [
        ("resnet18", 0),
        ("mobilenet_v2", 0),
        ("shufflenet_v2_x0_5", 0),
        ("densenet_40_12_cifar10", 39),  # its norms stand before their layers
        ("regnet_y_400mf", 0),
        ("googlenet_bn", 0),
    ],
)
def test_zoo_networks_compute_the_same(spec: str, left: int) -> None:
    graph = load(spec, input=(3, 64, 64)) if spec != "densenet_40_12_cifar10" else load(spec)
    plain, fused = both(graph)
    assert close(plain, fused, 1e-10)
    norms = sum(node.op.name == "batchnorm" for node in fuse(graph).nodes)
    assert norms == left


def test_what_follows_from_the_graph_stays_in_a_fused_network() -> None:
    """Such as the indices of positions in windows, which no state dict has."""
    text = """
input: [3, 8, 8]
layers:
  - conv: {out: 24, bias: false}
  - batchnorm
  - window_attention: {heads: 2, size: 4, shift: 2}
"""
    network = lively(graph_of(document("net.yaml", text=text.encode())))
    x = torch.randn(2, 3, 8, 8, dtype=torch.float64)
    fused = fused_network(network)
    assert len(fused.graph.nodes) == len(network.graph.nodes) - 1
    with torch.no_grad():
        assert close(network(x), fused(x), 1e-10)


def test_single_precision_is_rounded_once() -> None:
    plain, fused = both(load("resnet18", input=(3, 64, 64)), torch.float32)
    assert close(plain, fused, 1e-5)


@pytest.mark.parametrize(
    "layers",
    [
        [("conv", {"out": 4, "kernel": 3, "bias": False})],
        [("conv", {"out": 6, "kernel": (1, 3), "groups": 3, "padding": ((0, 0), (2, 1))})],
        [("conv_transpose", {"out": 4, "kernel": 3})],
        [("conv_transpose", {"out": 6, "kernel": 2, "groups": 3, "bias": False})],
        [("flatten", {}), ("linear", {"out": 5})],
        [("flatten", {}), ("linear", {"out": 5, "bias": False})],
    ],
)
@pytest.mark.parametrize("norm", [{}, {"eps": 0.1}, {"affine": False}])
def test_every_kind_of_layer(
    layers: list[tuple[str, dict[str, Any]]], norm: dict[str, Any]
) -> None:
    graph = chain(*layers, ("batchnorm", norm), ("relu", {}), x=(3, 6, 6))
    fused = fuse(graph)
    assert [node.op.name for node in fused.nodes] == ["input", *(op for op, _ in layers), "relu"]
    assert close(*both(graph), 1e-12)


@settings(max_examples=100, deadline=None)
@given(graphs())
def test_random_networks_compute_the_same(graph: Graph) -> None:
    plain, fused = both(graph)
    if isinstance(plain, Tensor):
        plain, fused = {"": plain}, {"": fused}
    assert list(plain) == list(fused)
    for name, value in plain.items():
        assert torch.allclose(value, fused[name], rtol=1e-9, atol=1e-9)


def test_a_fused_network_is_a_spec(tmp_path: Path) -> None:
    fused = fuse(load("mobilenet_v2"))
    path = tmp_path / "fused.yaml"
    path.write_text(to_yaml(fused), encoding="utf-8")
    assert [node.op for node in load(path).nodes] == [node.op for node in fused.nodes]


def net_where_the_layer_is_read_twice() -> Graph:
    net = Net(x=(3, 6, 6))
    conv = net("conv", "x", out=3)
    return net.graph(net("add", net("batchnorm", conv), conv))


def net_where_the_layer_is_an_output() -> Graph:
    net = Net(x=(3, 6, 6))
    conv = net("conv", "x", out=3)
    return net.graph(conv, net("batchnorm", conv))


def net_of_a_shared_layer_with_norms_of_their_own() -> Graph:
    net = Net(x=(3, 6, 6))
    one = net("conv", "x", out=3)
    two = net("conv", "x", out=3, shares=one)
    return net.graph(net("add", net("batchnorm", one), net("batchnorm", two)))


def net_of_a_shared_norm_behind_layers_of_their_own() -> Graph:
    net = Net(x=(3, 6, 6))
    one = net("batchnorm", net("conv", "x", out=3))
    two = net("batchnorm", net("conv", "x", out=3), shares=one)
    return net.graph(net("add", one, two))


def net_of_a_shared_layer_with_a_norm_once() -> Graph:
    net = Net(x=(3, 6, 6))
    one = net("conv", "x", out=3)
    two = net("conv", "x", out=3, shares=one)
    return net.graph(net("add", net("batchnorm", one), two))


def net_of_a_norm_behind_a_relu() -> Graph:
    return chain(("conv", {"out": 3}), ("relu", {}), ("batchnorm", {}), x=(3, 6, 6))


@pytest.mark.parametrize(
    "net",
    [
        net_where_the_layer_is_read_twice,
        net_where_the_layer_is_an_output,
        net_of_a_shared_layer_with_norms_of_their_own,
        net_of_a_shared_norm_behind_layers_of_their_own,
        net_of_a_shared_layer_with_a_norm_once,
        net_of_a_norm_behind_a_relu,
    ],
)
def test_what_cannot_be_folded_stays(net: Any) -> None:
    graph = net()
    assert not foldable(graph)
    assert [node.op for node in fuse(graph).nodes] == [node.op for node in graph.nodes]


def test_layers_and_norms_that_are_shared_alike_are_folded_once() -> None:
    net = Net(x=(3, 6, 6), y=(3, 6, 6))
    one = net("conv", "x", name="a.conv", out=4, bias=False)
    first = net("batchnorm", one, name="a.norm")
    two = net("conv", "y", name="b.conv", out=4, bias=False, shares=one)
    second = net("batchnorm", two, name="b.norm", shares=first)
    graph = net.graph(net("concat", first, second))
    assert foldable(graph) == {"a.norm": "a.conv", "b.norm": "b.conv"}
    assert close(*both(graph), 1e-12)
    assert sum(p.numel() for p in build(fuse(graph)).parameters()) == 4 * 3 + 4


def test_a_norm_that_is_an_output_passes_its_name_on() -> None:
    graph = chain(("conv", {"out": 3}), ("batchnorm", {}), x=(3, 6, 6))
    assert fuse(graph).outputs == (Output("output", "conv1"),)
    assert close(*both(graph), 1e-12)


def test_parts_for_training_are_left_out() -> None:
    fused = fuse(load("inception_v3"))
    assert [output.name for output in fused.outputs] == ["output"]
    assert not [node for node in fused.nodes if node.name.startswith("auxiliary")]


def test_numbers_of_the_fused_form() -> None:
    """ResNet-18 loses a scale and a mean, variance for each of the 4,800 channels of its norms."""
    before, after = analyze(load("resnet18")), analyze(fuse(load("resnet18")))
    norms = [layer for layer in before.layers if layer.op == "batchnorm"]
    channels = sum(layer.out[0] for layer in norms)
    assert (len(norms), channels) == (20, 4800)
    assert before.totals.params - after.totals.params == channels
    assert before.totals.buffers == 2 * channels and after.totals.buffers == 0
    assert after.totals.macs == before.totals.macs
    elements = sum(layer.elementwise for layer in norms)
    assert before.totals.elementwise - after.totals.elementwise == elements // 2  # biases stay
    assert not any(isinstance(m, nn.BatchNorm2d) for m in build(fuse(load("resnet18"))).modules())
