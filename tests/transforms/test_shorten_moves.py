"""Fewer moves compute the same, and attention is found wherever its heads are the channels."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archscope.build import build
from archscope.ir import Graph, Output
from archscope.ops import OPS
from archscope.transforms.shorten_moves import is_elementwise, shorten_moves
from tests.nets import Net
from tests.transforms.test_strided_view import drawn_move


def equal(graph: Graph, shorter: Graph) -> bool:
    """Return whether two graphs with the same weights compute the same."""
    torch.manual_seed(0)
    networks = [build(graph).double().eval(), build(shorter).double().eval()]
    networks[1].load_state_dict(networks[0].state_dict())
    inputs = [torch.randn(2, *node.out, dtype=torch.float64) for node in graph.inputs]
    with torch.no_grad():
        results: list[Any] = [network(*inputs) for network in networks]
    if isinstance(results[0], torch.Tensor):
        return torch.allclose(*results)
    return all(torch.allclose(results[0][key], results[1][key]) for key in results[0])


def ops(graph: Graph) -> list[str]:
    return [node.op.name for node in graph.nodes if node.inputs]


def heads(net: Net, x: str, count: int, positions: int) -> str:
    """Add what separates heads from one another, as models do with positions first."""
    x = net("permute", x, order=(1, 0))
    width = net.builder.nodes[x].out[1] // count
    x = net("reshape", x, size=(positions, count, width))
    return net("permute", x, order=(1, 0, 2))


def together(net: Net, x: str) -> str:
    """Add what joins heads."""
    x = net("permute", x, order=(1, 0, 2))
    positions, count, width = net.builder.nodes[x].out
    x = net("reshape", x, size=(positions, count * width))
    return net("permute", x, order=(1, 0))


def test_attention_on_one_product() -> None:
    net = Net(x=(8, 5))
    x = net("conv", "x", out=24)
    x = net("permute", x, order=(1, 0))
    x = net("reshape", x, size=(5, 3, 2, 4))
    x = net("permute", x, order=(1, 2, 0, 3))
    parts = [net("select", x, index=index, axis=0) for index in range(3)]
    x = net("scaled_dot_product_attention", *parts, causal=True, scale=0.5)
    net("conv", together(net, x), out=8)
    graph = net.graph()
    shorter = shorten_moves(graph)
    assert ops(shorter) == ["conv", "dot_product_attention", "conv"]
    assert equal(graph, shorter)
    found = shorter.nodes[2].op
    assert (found.heads, found.causal) == (2, True)  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [4, 6], ids=["equal", "wider values"])
def test_attention_on_three_products(width: int) -> None:
    net = Net(x=(8, 5), y=(6, 7))
    q = heads(net, net("conv", "x", out=8), 2, 5)
    k = heads(net, net("conv", "y", out=8), 2, 7)
    v = heads(net, net("conv", "y", out=2 * width), 2, 7)
    net("conv", together(net, net("scaled_dot_product_attention", q, k, v)), out=8)
    graph = net.graph()
    shorter = shorten_moves(graph)
    assert ops(shorter) == ["conv", "conv", "conv", "dot_product_attention", "conv"]
    assert equal(graph, shorter)


def interleaved(net: Net) -> list[str]:
    """Add queries, keys and values that alternate within each head."""
    x = net("reshape", net("conv", "x", out=24), size=(2, 3, 4, 5))
    parts = [net("select", x, index=index, axis=1) for index in range(3)]
    return [net("permute", part, order=(0, 2, 1)) for part in parts]


def swapped(net: Net) -> list[str]:
    """Add keys before queries."""
    x = net("reshape", net("conv", "x", out=24), size=(3, 2, 4, 5))
    parts = [net("select", x, index=index, axis=0) for index in (1, 0, 2)]
    return [net("permute", part, order=(0, 2, 1)) for part in parts]


def more(net: Net) -> list[str]:
    """Add a product that has more channels than attention reads."""
    x = net("slice", net("conv", "x", out=28), start=0, stop=24)
    x = net("reshape", x, size=(3, 2, 4, 5))
    parts = [net("select", x, index=index, axis=0) for index in range(3)]
    return [net("permute", part, order=(0, 2, 1)) for part in parts]


def split_map(net: Net) -> list[str]:
    """Add heads along the positions."""
    x = net("reshape", net("conv", "x", out=20), size=(4, 5, 5))
    return [x, x, x]


@pytest.mark.parametrize("parts", [interleaved, swapped, more, split_map])
def test_other_attention_stays(parts: Any) -> None:
    net = Net(x=(8, 5))
    x = net("scaled_dot_product_attention", *parts(net))
    net("flatten", x)
    graph = net.graph()
    shorter = shorten_moves(graph)
    assert "scaled_dot_product_attention" in ops(shorter)
    assert equal(graph, shorter)


@pytest.mark.parametrize(
    ("more", "kind"),
    [({"scale": 0.3}, "dot_product_attention"), ({"mask": (5, 5)}, "scaled_dot_product_attention")],
    ids=["scale", "mask"],
)
def test_attention_with_settings_of_its_own(more: dict[str, Any], kind: str) -> None:
    net = Net(x=(24, 5))
    x = net("reshape", "x", size=(3, 2, 4, 5))
    parts = [net("select", x, index=index, axis=0) for index in range(3)]
    parts = [net("permute", part, order=(0, 2, 1)) for part in parts]
    net("flatten", net("scaled_dot_product_attention", *parts, **more))
    graph = net.graph()
    shorter = shorten_moves(graph)
    assert kind in ops(shorter)
    assert equal(graph, shorter)


def test_moves_around_elementwise_operators_cancel() -> None:
    net = Net(x=(8, 5, 6))
    last = net("permute", net("conv", "x", out=4), order=(1, 2, 0))
    other = net("permute", net("conv", "x", out=4), order=(1, 2, 0))
    x = net("gelu", net("add", last, other))
    x = net("mul_scalar", net("reshape", x, size=(30, 4)), factor=0.5)
    x = net("permute", net("reshape", x, size=(5, 6, 4)), order=(2, 0, 1))
    net("conv", x, out=3)
    graph = net.graph()
    shorter = shorten_moves(graph)
    assert ops(shorter) == ["conv", "conv", "add", "gelu", "mul_scalar", "conv"]
    assert equal(graph, shorter)


def test_values_that_broadcast_keep_their_places() -> None:
    net = Net(x=(1, 5), y=(5, 5))
    turned = net("permute", "x", order=(1, 0))
    x = net("add", turned, net("permute", "y", order=(1, 0)))
    net("permute", net("permute", x, order=(1, 0)), order=(1, 0))
    graph = net.graph()
    assert equal(graph, shorten_moves(graph))


@pytest.mark.parametrize(
    "op, attributes", [("prelu", {}), ("dropout", {"channels": True})], ids=["prelu", "dropout"]
)
def test_operators_on_channels_keep_their_axis(op: str, attributes: dict[str, Any]) -> None:
    net = Net(x=(4, 6))
    x = net(op, net("permute", net("relu", "x"), order=(1, 0)), **attributes)
    net("relu", net("permute", x, order=(1, 0)))
    assert shorten_moves(graph := net.graph()) is graph


def test_single_numbers() -> None:
    net = Net(x=(4, 6))
    x = net("squeeze", net("linear", net("flatten", "x"), out=1))
    net("mul_scalar", net("relu", x), factor=2)
    graph = net.graph()
    assert shorten_moves(graph) is graph


def test_long_chains_are_divided() -> None:
    net = Net(x=(4, 6))
    last = net("relu", "x")
    for _ in range(1000):
        last = net("permute", last, order=(1, 0))
        size = net.builder.nodes[last].out
        last = net("reshape", last, size=size[::-1])
    graph = net.graph()
    assert shorten_moves(graph) is graph


def test_outputs_stay_nodes_of_their_own() -> None:
    net = Net(x=(4, 5))
    net("permute", net("permute", "x", order=(1, 0)), order=(1, 0))
    assert shorten_moves(graph := net.graph()) is graph
    net = Net(x=(4, 5))
    first = net("relu", "x")
    second = net("permute", net("permute", first, order=(1, 0)), order=(1, 0))
    assert shorten_moves(graph := net.graph(first, second)) is graph
    net = Net(x=(4, 5))
    last = net("permute", net("permute", net("relu", "x"), order=(1, 0)), order=(1, 0))
    shorter = shorten_moves(net.graph(Output("scores", last, 0.5)))
    assert shorter.outputs == (Output("scores", "relu1", 0.5),)


@given(st.data())
def test_random_graphs(data: st.DataObject) -> None:
    net = Net(x=(4, 6), y=(4, 6))
    values = ["x", "y"]
    for _ in range(data.draw(st.integers(1, 12))):
        source = data.draw(st.sampled_from(values))
        sizes = net.builder.nodes[source].out
        kind = data.draw(st.sampled_from(["move", "move", "move", "relu", "add", "softmax"]))
        if kind == "move":
            op = drawn_move(data, sizes)
            values.append(net.builder.add(f"move{len(values)}", op, (source,)))
        elif kind == "add":
            alike = [name for name in values if net.builder.nodes[name].out == sizes]
            values.append(net("add", source, data.draw(st.sampled_from(alike))))
        else:
            values.append(net(kind, source))
    ends = data.draw(st.lists(st.sampled_from(values[2:]), min_size=1, max_size=3, unique=True))
    graph = net.graph(*ends)
    shorter = shorten_moves(graph)
    assert equal(graph, shorter)
    assert shorter is graph or len(shorter.nodes) < len(graph.nodes)
    assert [node.name for node in shorter.inputs] == ["x", "y"]


CASES = [
    (name, number, example)
    for name, op in OPS.items()
    for number, example in enumerate(op.examples())
    if example.ins and is_elementwise(example.op, *example.ins)
]


@pytest.mark.parametrize(
    "example", [case[2] for case in CASES], ids=[f"{name}-{number}" for name, number, _ in CASES]
)
def test_elementwise_operators_treat_all_elements_alike(example: Any) -> None:
    net = Net(**{f"x{i}": shape for i, shape in enumerate(example.ins)})
    plain = net.builder.add("plain", example.op, tuple(net.builder.nodes))
    module: Any = build(net.graph(plain)).double().eval()
    assert not module.state_dict()
    torch.manual_seed(0)
    inputs = [torch.rand(2, *shape, dtype=torch.float64) for shape in example.ins]
    turned = Net(**{f"x{i}": shape[::-1] for i, shape in enumerate(example.ins)})
    turned.builder.add("plain", example.op, tuple(turned.builder.nodes))
    other: Any = build(turned.graph()).double().eval()
    order = (0, *range(len(example.ins[0]), 0, -1))
    with torch.no_grad():
        want = module(*inputs).permute(order)
        got = other(*(x.permute(order) for x in inputs))
    assert torch.equal(want, got)
