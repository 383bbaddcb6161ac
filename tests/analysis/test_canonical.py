"""The digest of a network changes with what it computes, and with nothing else."""

from __future__ import annotations

from random import Random
from typing import Any

import networkx
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import structs

from archscope import load
from archscope.analysis.canonical import canonical
from archscope.errors import ShapeError
from archscope.ir import Graph, Node, Output
from archscope.language import zoo
from archscope.ops import OPS
from archscope.ops.attributes import attributes
from tests.language.texts import graph_of
from tests.strategies import graphs


def renamed(graph: Graph) -> Graph:
    """Return the graph with other names of nodes and of itself."""
    names = {node.name: f"n{number}" for number, node in enumerate(graph.nodes)}
    nodes = tuple(
        structs.replace(
            node,
            name=names[node.name],
            inputs=tuple(names[name] for name in node.inputs),
            shares=names[node.shares] if node.shares else None,
            at=None,
        )
        for node in graph.nodes
    )
    outputs = tuple(structs.replace(output, node=names[output.node]) for output in graph.outputs)
    return Graph("other", nodes, outputs, "about", (("macs", 1),))


def shuffled(graph: Graph, random: Random) -> Graph:
    """Return the graph with its nodes in another order that their inputs allow."""
    left = [node for node in graph.nodes if node.inputs]
    nodes = [node for node in graph.nodes if not node.inputs]
    there = {node.name for node in nodes}
    while left:
        ready = [
            node
            for node in left
            if {*node.inputs, *([node.shares] if node.shares else ())} <= there
        ]
        node = random.choice(ready)
        left.remove(node)
        nodes.append(node)
        there.add(node.name)
    return structs.replace(graph, nodes=tuple(nodes))


def commuted(graph: Graph) -> Graph:
    """Return the graph with the inputs of sums and products turned round."""
    nodes = tuple(
        structs.replace(node, inputs=node.inputs[::-1], ins=node.ins[::-1])
        if node.op.commutative
        else node
        for node in graph.nodes
    )
    return structs.replace(graph, nodes=nodes)


def with_identities(graph: Graph) -> Graph:
    """Return the graph with an identity behind every node, and a branch that nothing reads."""
    nodes: list[Node] = []
    for node in graph.nodes:
        nodes.append(structs.replace(node, inputs=tuple(f"{name}_" for name in node.inputs)))
        nodes.append(Node(f"{node.name}_", OPS["identity"](), (node.name,), (node.out,), node.out))
    first = nodes[1]
    nodes.append(Node("dead", OPS["relu"](), (first.name,), (first.out,), first.out))
    outputs = tuple(structs.replace(output, node=f"{output.node}_") for output in graph.outputs)
    return structs.replace(graph, nodes=tuple(nodes), outputs=outputs)


@settings(max_examples=80)
@given(graphs(), st.randoms(use_true_random=False))
def test_writing_a_network_otherwise_changes_nothing(graph: Graph, random: Random) -> None:
    said = canonical(graph)
    assert canonical(renamed(graph)) == said
    assert canonical(shuffled(graph, random)) == said
    assert canonical(commuted(graph)) == said
    assert canonical(with_identities(graph)) == said


@settings(max_examples=80)
@given(graphs(), st.data())
def test_any_attribute_changes_it(graph: Graph, data: st.DataObject) -> None:
    live = graph.ancestors(*(output.node for output in graph.outputs))
    node = data.draw(st.sampled_from([node for node in graph.nodes if node.name in live]))
    table = attributes(type(node.op))
    assume(table and node.op.name not in ("slice", "channel_shuffle", "input"))
    key = data.draw(st.sampled_from(sorted(table)))
    old = getattr(node.op, key)
    assume(isinstance(old, int | float))
    value: Any = not old if isinstance(old, bool) else old + 1
    op = structs.replace(node.op, **{key: value})
    try:
        op.shape(*node.ins)
    except ShapeError:
        assume(False)
    assume(not node.op.is_identity(*node.ins) and not op.is_identity(*node.ins))
    changed = structs.replace(node, op=op)
    nodes = tuple(changed if one is node else one for one in graph.nodes)
    assert canonical(structs.replace(graph, nodes=nodes)) != canonical(graph)


def as_networkx(graph: Graph) -> Any:
    """Return what an independent refinement can look at: operators, slots and weights."""
    net: Any = networkx.DiGraph()
    for node in graph.nodes:
        net.add_node(node.name, label=f"{node.op!r}")
        for slot, name in enumerate(node.inputs):
            part = f"{node.name}/{slot}"  # a node of its own, as an input may be read twice
            commutes = node.op.name in ("add", "mul")
            net.add_node(part, label="any" if commutes else f"slot {slot}")
            net.add_edge(name, part)
            net.add_edge(part, node.name)
    for output in graph.outputs:
        net.add_node(f"output {output.name}", label=repr((output.name, output.weight,
                                                          output.train_only)))  # fmt: skip
        net.add_edge(output.node, f"output {output.name}")
    return net


def plain(graph: Graph) -> bool:
    """Return whether nothing in a network can be left out, so that an oracle needs no rules."""
    live = graph.ancestors(*(output.node for output in graph.outputs))
    nothing = {"identity", "add", "mul", "dropout", "flatten", "slice"}
    pure = [(node.op, node.inputs) for node in graph.nodes if not node.facts.params]
    shared = any(node.shares for node in graph.nodes)
    used = not any(
        node.op.name in nothing or node.op.is_identity(*node.ins) for node in graph.nodes
    )
    return used and len(live) == len(graph.nodes) and len(set(pure)) == len(pure) and not shared


@pytest.mark.filterwarnings("ignore:The hashes produced for directed graphs:UserWarning")
@settings(max_examples=60)
@given(st.lists(graphs(most=3, heads=False), min_size=2, max_size=6))
def test_networkx_tells_the_same_networks_apart(many: list[Graph]) -> None:
    many = [renamed(graph) for graph in many if plain(graph)]
    for one in many:
        for other in many:
            left, right = (
                networkx.weisfeiler_lehman_graph_hash(as_networkx(net), node_attr="label",
                                                      iterations=8)
                for net in (one, other)
            )  # fmt: skip
            assert (canonical(one) == canonical(other)) == (left == right)


def test_no_two_networks_of_the_zoo_are_the_same() -> None:
    digests: dict[str, list[str]] = {}
    for name in zoo():
        digests.setdefault(canonical(load(name)), []).append(name)
    assert [names for names in digests.values() if len(names) > 1] == []


def digest(layers: str) -> str:
    text = "".join(f"  {line}\n" for line in ["- conv: 4", *layers.splitlines()])
    return canonical(graph_of(f"layers:\n{text}"))


@pytest.mark.parametrize(
    "one, other",
    [
        ("- add: [identity, [relu, identity]]", "- add: [relu, identity]"),
        ("- add: [identity, relu, tanh]", "- add: [{add: [tanh, relu]}, identity]"),
        ("- add: [relu, tanh, {mul_scalar: 0}]", "- add: [relu, tanh]"),
        ("- add: [relu, [{mul_scalar: 0}, relu, {maxpool: 1}]]", "- relu"),
        ("- mul: [relu, {mul: [tanh, identity]}]", "- mul: [identity, relu, tanh]"),
        ("- dropout: 0", "- identity"),
        ("- mul_scalar: 1", "- identity"),
        ("- channel_shuffle: 1", "- identity"),
        ("- concat: [relu, relu]", "- {relu: {}, name: a}\n- {concat: , from: [a, a]}"),
    ],
)
def test_the_same_function(one: str, other: str) -> None:
    assert digest(one) == digest(other)


@pytest.mark.parametrize(
    "one, other",
    [
        ("- concat: [relu, tanh]", "- concat: [tanh, relu]"),
        ("- add: [relu, relu]", "- relu"),
        ("- add: [{dropout: 0.5}, {dropout: 0.5}]",
         "- {dropout: 0.5, name: a}\n- {add: , from: [a, a]}"),
        ("- add: [{conv: 4}, {conv: 4}]",
         "- conv: 4\n  name: a\n- add: {}\n  from: [a, a]"),
        ("- add: [[{conv: 4}, relu], [{conv: 4}, tanh]]",
         "- conv: 4\n- add: [relu, tanh]"),
        ("- add: [[{conv: 4}, relu], [{conv: 4}, tanh]]",
         "- add: [[{conv: 4, share: a}, relu], [{conv: 4, share: a}, tanh]]"),
        ("- conv: 4\n- conv: 4", "- conv: 4\n  share: a\n- conv: 4\n  share: a"),
        ("- batchnorm", "- identity"),
        ("- mul_scalar: 0\n- conv: 4", "- mul_scalar: 0\n- conv: {out: 4, bias: false}"),
        ("- relu\n- {tanh: , output: side}", "- tanh\n- {relu: , output: side}"),
    ],
)  # fmt: skip
def test_another_function(one: str, other: str) -> None:
    assert digest(one) != digest(other)


def test_outputs_enter_with_name_weight_and_mode() -> None:
    graph = load("resnet18")
    said = {canonical(graph)}
    for change in ({"name": "other"}, {"weight": 0.5}, {"train_only": True}):
        output = structs.replace(graph.outputs[0], **change)
        said.add(canonical(structs.replace(graph, outputs=(output,))))
    said.add(canonical(structs.replace(graph, outputs=(Output("output", graph.nodes[-3].name),))))
    assert len(said) == 5


def test_the_digest_does_not_change_from_run_to_run() -> None:
    assert canonical(load("resnet18")) == "55a3f5aa5772c214d45955408ea31fa6"
