"""The macs of the backward pass against torch's own counter, on tensors without numbers."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
import torch
from hypothesis import given
from torch import Tensor
from torch.utils.flop_counter import FlopCounterMode

from archscope import analyze, load
from archscope.analysis.backward import backward
from archscope.build import build
from archscope.ir import Graph, Output
from archscope.ops.opaque import Opaque
from tests.nets import Net, chain
from tests.strategies import graphs


def results(out: Tensor | Iterable[Tensor] | dict[str, Tensor]) -> list[Tensor]:
    if isinstance(out, Tensor):
        return [out]
    return list(out.values() if isinstance(out, dict) else out)


def counted(graph: Graph, batch: int) -> tuple[int, int]:
    """Return the macs of a forward and of a backward pass, as torch counts them."""
    network = build(graph, device="meta").train()
    inputs = [torch.rand(batch, *node.out, device="meta") for node in graph.inputs]
    with FlopCounterMode(display=False) as counter:
        moved = [out.sum() for out in results(network(*inputs)) if out.requires_grad]
        forward = int(counter.get_total_flops())
        if moved:
            torch.stack(moved).sum().backward()
    return forward // 2, int(counter.get_total_flops()) // 2 - forward // 2


@pytest.mark.parametrize(
    "name",
    [
        "resnet18", "mobilenet_v2", "googlenet", "resnext50_32x4d", "siamese", "lenet5",
        "deit_tiny", "shufflenet_v1_g3", "densenet121", "mobilenet_v3_small",
    ],
)  # fmt: skip
def test_networks_of_the_zoo(name: str) -> None:
    graph = load(name)
    totals = analyze(graph, training=True, batch=2).totals
    assert (totals.macs, totals.backward_macs) == counted(graph, 2)


@given(graphs())
def test_any_network(graph: Graph) -> None:
    totals = analyze(graph, training=True, batch=2).totals
    assert totals.backward_macs == counted(graph, 2)[1]


def test_by_hand() -> None:
    """No gradient of the input; depthwise weights count once in `products`, four times in torch."""
    graph = chain(
        ("conv", {"out": 4, "kernel": 3, "padding": 1}),
        ("conv", {"out": 4, "kernel": 3, "padding": 1, "groups": 4}),
        ("flatten", {}),
        ("linear", {"out": 5}),
        x=(3, 8, 8),
    )
    found = backward(graph)
    first, deep, last = 64 * 4 * 27, 64 * 4 * 9, 256 * 5
    assert list(found.products.values()) == [0, first, 2 * deep, 0, 2 * last]
    assert list(found.counted.values()) == [0, first, deep + 4 * deep, 0, 2 * last]


def test_what_no_output_needs_has_no_gradient() -> None:
    net = Net(x=(3, 8, 8))
    first = net("conv", "x", out=4)
    net("conv", first, out=5)
    found = backward(net.graph(Output("output", first)))
    assert list(found.products.values()) == [0, 64 * 12, 0]


def test_without_weights_there_is_no_backward_pass() -> None:
    net = Net(x=(6, 4, 4))
    net("dot_product_attention", "x", heads=1)
    assert set(backward(net.graph()).products.values()) == {0}


def test_what_is_not_recognised_is_unknown() -> None:
    net = Net(x=(3, 8, 8))
    first = net("conv", "x", out=4)
    net.builder.add("odd", Opaque(kind="odd", size=(4, 8, 8)), (first,))
    totals = analyze(net.graph(), training=True).totals
    assert totals.backward_macs is totals.backward_products is None


def test_inference_has_none() -> None:
    totals = analyze(load("lenet5")).totals
    assert totals.backward_macs is totals.backward_products is None
