"""Layers are matched by name and then by structure, and their differences are described."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from archscope import analyze, load
from archscope.analysis.difference import LayerChange, difference
from archscope.ir import Graph
from tests.nets import Net, chain
from tests.strategies import graphs


def changes(old: Graph, new: Graph) -> tuple[LayerChange, ...]:
    return difference(old, new, analyze(old), analyze(new))


def conv(out: int, kernel: int = 3) -> tuple[str, dict[str, int]]:
    return "conv", {"out": out, "kernel": kernel, "padding": kernel // 2}


RELU: tuple[str, dict[str, int]] = ("relu", {})


def test_an_attribute_changes_a_layer_and_shapes_behind_it() -> None:
    old = chain(conv(8), RELU, conv(16), RELU, conv(4), x=(3, 8, 8))
    new = chain(conv(8), RELU, conv(12), RELU, conv(4), x=(3, 8, 8))
    found = changes(old, new)
    assert [(change.kind, change.name) for change in found] == [
        ("changed", "conv3"),
        ("reshaped", "relu4"),
        ("reshaped", "conv5"),
    ]
    assert found[0].attributes == {"out": (16, 12)}
    assert found[2].params == (4 * (16 * 9 + 1), 4 * (12 * 9 + 1))


def test_layers_that_were_put_in_between_are_added_alone() -> None:
    old = chain(conv(8), RELU, conv(16), x=(3, 8, 8))
    new = chain(conv(8), RELU, conv(8, 5), RELU, conv(16), x=(3, 8, 8))
    found = changes(old, new)
    assert [(change.kind, change.old, change.new) for change in found] == [
        ("added", None, "conv3"),
        ("added", None, "relu4"),
        ("renamed", "conv3", "conv5"),
    ]


def test_another_operator_under_one_name() -> None:
    net, other = Net(x=(3, 8, 8)), Net(x=(3, 8, 8))
    net("relu", net("conv", "x", out=4, name="stem"), name="act")
    other("sigmoid", other("conv", "x", out=4, name="stem"), name="act")
    assert [(change.kind, change.op) for change in changes(net.graph(), other.graph())] == [
        ("removed", "relu"),
        ("added", "sigmoid"),
    ]


def test_another_branch_is_read() -> None:
    def made(reads: str) -> Graph:
        net = Net(x=(4, 8, 8))
        for name in ("left", "right"):
            net("conv", "x", out=4, name=name)
        net("add", "left", "right", name="sum")
        net("relu", reads, name="act")
        return net.graph()

    (change,) = changes(made("left"), made("right"))
    assert (change.kind, change.attributes) == ("changed", {"from": (("left",), ("right",))})


def test_resnet34_is_resnet18_with_more_blocks() -> None:
    old, new = load("resnet18"), load("resnet34")
    found = changes(old, new)
    assert {change.kind for change in found} == {"added"}
    assert len(found) == len(new.nodes) - len(old.nodes)
    params = sum(node.own_params for node in new.nodes) - sum(n.own_params for n in old.nodes)
    assert sum(after - before for before, after in (c.params for c in found)) == params


@settings(deadline=None, max_examples=30)
@given(graphs())
def test_a_network_is_like_itself(graph: Graph) -> None:
    assert changes(graph, graph) == ()


@settings(deadline=None, max_examples=30)
@given(graphs())
def test_other_names_alone_are_seen_as_such(graph: Graph) -> None:
    def other(name: str | None) -> str | None:
        return None if name is None else f"other_{name}"

    nodes = tuple(
        structs.replace(
            node,
            name=f"other_{node.name}",
            inputs=tuple(f"other_{name}" for name in node.inputs),
            shares=other(node.shares),
        )
        for node in graph.nodes
    )
    outputs = tuple(structs.replace(o, node=f"other_{o.node}") for o in graph.outputs)
    found = changes(graph, structs.replace(graph, nodes=nodes, outputs=outputs))
    assert {change.kind for change in found} <= {"renamed"}
    assert len(found) == len(graph.inference().nodes)


@settings(deadline=None, max_examples=30)
@given(graphs(), graphs(), st.booleans())
def test_every_layer_is_accounted_for_once(old: Graph, new: Graph, swap: bool) -> None:
    """Changes of params and macs add up to those of the totals, whatever the pairs."""
    old, new = (new, old) if swap else (old, new)
    before, after = analyze(old), analyze(new)
    found = difference(old, new, before, after)
    for key in ("params", "macs"):
        total = sum(now - was for was, now in (getattr(change, key) for change in found))
        assert total == getattr(after.totals, key) - getattr(before.totals, key)
    names = [change.new for change in found if change.new]
    assert len(names) == len(set(names))
