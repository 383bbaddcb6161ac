"""The graph that is left without the parts that only training needs."""

from __future__ import annotations

import pytest
from hypothesis import given

from archscope import load
from archscope.analysis import analyze
from archscope.build import build
from archscope.errors import GraphError
from archscope.ir import Graph, Node, Output
from archscope.ops import OPS
from tests.nets import Net
from tests.strategies import graphs


def names(graph: Graph) -> set[str]:
    return {node.name for node in graph.nodes}


def test_auxiliary_heads_count_in_training_only() -> None:
    graph = load("googlenet_bn")
    assert analyze(graph).totals.params == 6_624_904
    assert analyze(graph, training=True).totals.params == 13_004_888
    lean, full = analyze(graph), analyze(graph, training=True)
    assert (lean.mode, full.mode) == ("inference", "training")
    assert [head.name for head in lean.outputs] == ["output"]
    assert [head.name for head in full.outputs] == ["aux1", "aux2", "output"]
    assert [head.weight for head in full.outputs] == [0.3, 0.3, 1.0]


def test_a_graph_without_such_heads_is_itself() -> None:
    graph = load("siamese")
    assert graph.inference() is graph


def test_shared_weights_outlive_their_owner() -> None:
    """A head for training owns weights that nodes which stay use as well."""
    net = Net(x=(3, 8, 8))
    aux = net("conv", "x", name="aux", out=3)
    kept = net("conv", net("relu", "x"), name="kept", out=3, shares="aux")
    again = net("conv", kept, name="again", out=3, shares="aux")
    graph = net.graph(Output("aux", aux, 0.3, True), Output("output", again))
    lean = graph.inference()
    assert "aux" not in names(lean)
    assert {node.name: node.shares for node in lean.nodes if node.op.name == "conv"} == {
        "kept": None, "again": "kept",
    }  # fmt: skip
    assert analyze(graph).totals.params == analyze(graph, training=True).totals.params == 12
    assert sum(p.numel() for p in build(lean).parameters()) == 12


def test_what_no_output_needs_stays_unless_its_inputs_go() -> None:
    net = Net(x=(3, 8, 8))
    head = net("conv", "x", name="head", out=3)
    net("relu", head, name="loose_end_of_the_head")
    net("relu", "x", name="loose_end")
    last = net("conv", "x", name="last", out=3)
    lean = net.graph(Output("aux", head, 1.0, True), Output("output", last)).inference()
    assert names(lean) == {"x", "loose_end", "last"}


def test_an_input_of_a_head_alone_goes_with_it() -> None:
    net = Net(image=(3, 8, 8), hint=(3, 8, 8))
    aux = net("add", net("conv", "image", name="last", out=3), "hint", name="aux")
    graph = net.graph(Output("aux", aux, 1.0, True), "last")
    assert [node.name for node in graph.inference().inputs] == ["image"]


def test_nothing_left_is_an_error() -> None:
    net = Net(x=(3, 8, 8))
    graph = net.graph(Output("aux", net("conv", "x", out=1), 1.0, True))
    with pytest.raises(GraphError, match="every output of 'net' is only for training"):
        analyze(graph)


@given(graphs())
def test_what_is_left_computes_the_remaining_outputs(graph: Graph) -> None:
    lean = graph.inference()
    kept = [output for output in graph.outputs if not output.train_only]
    assert list(lean.outputs) == kept
    assert graph.ancestors(*(output.node for output in kept)) <= names(lean) <= names(graph)
    assert lean.inference() is lean


def node(name: str, *inputs: str, shares: str | None = None) -> Node:
    return Node(name, OPS["relu"](), inputs, ((1,),) * len(inputs), (1,), shares)


@pytest.mark.parametrize(
    ("nodes", "outputs", "words"),
    [
        ([node("a"), node("a")], ["a"], "two nodes are named 'a'"),
        ([node("a", "b"), node("b")], ["a"], "'a' reads 'b', which is not an earlier node"),
        ([node("a", "a")], ["a"], "'a' reads 'a', which is not an earlier node"),
        ([node("a", shares="b"), node("b")], ["a"], "'a' reads 'b', which is not an earlier node"),
        ([node("a")], ["b"], "output 'b' refers to 'b', which is not a node"),
    ],
)
def test_what_is_no_graph_is_refused(nodes: list[Node], outputs: list[str], words: str) -> None:
    with pytest.raises(GraphError, match=words):
        Graph("net", tuple(nodes), tuple(Output(name, name) for name in outputs))


def test_readers_and_ancestors() -> None:
    net = Net(x=(3, 8, 8))
    a = net("relu", "x", name="a")
    b = net("relu", "x", name="b")
    graph = net.graph(net("add", a, b, name="c"))
    assert graph.readers() == {"x": ["a", "b"], "a": ["c"], "b": ["c"], "c": []}
    assert graph.ancestors("a") == {"x", "a"}
    assert graph.ancestors("c") == {"x", "a", "b", "c"}
    assert set(graph.to_networkx().edges) == {("x", "a"), ("x", "b"), ("a", "c"), ("b", "c")}
