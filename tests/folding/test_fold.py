"""Folded specs describe the same graph in a few readable lines."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import structs

from archscope import language
from archscope.analysis.cost import costs, total
from archscope.folding import fold
from archscope.folding.fold import Folded, other_peak, readable
from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph, Node, Output
from archscope.language.write import to_yaml
from archscope.ops import OPS
from tests.strategies import graphs, specs

ZOO = sorted(language.zoo())
COMMON = (
    "resnet50", "densenet121", "mobilenet_v3_large", "shufflenet_v2_x1_0", "inception_v3",
    "efficientnet_b0",
)  # fmt: skip

RESNET50 = """
layers:
  - conv_bn_relu: {out: 64, kernel: 7, stride: 2}
  - maxpool: {kernel: 3, stride: 2, padding: 1}
  - stage: {out: 64, depth: 3}
  - stage: {out: 128, stride: 2, depth: 4}
  - stage: {out: 256, stride: 2, depth: 6}
  - stage: {out: 512, stride: 2, depth: 3}
  - global_avgpool
  - flatten
  - linear: 1000
"""
BOTTLENECK = """
  bottleneck:
    with: {out: , stride: 1}
    layers:
      - add:
          - - conv_bn_relu: {out: =out, kernel: 1}
            - conv_bn_relu: {out: =out, kernel: 3, stride: =stride}
            - conv_bn: {out: =4*out}
          - conv_bn: {out: =4*out, stride: =stride}
            when: =in.channels != 4*out
      - relu
"""


def expanded(folded: Folded) -> Graph:
    return language.graph(language.document("folded", text=folded.text.encode()))


def renamed(node: Node, names: Mapping[str, str]) -> Node:
    return structs.replace(
        node,
        name=names[node.name],
        inputs=tuple(names[name] for name in node.inputs),
        shares=names[node.shares] if node.shares else None,
        at=None,
    )


def with_names(graph: Graph, names: Mapping[str, str]) -> Graph:
    return structs.replace(
        graph,
        nodes=tuple(renamed(node, names) for node in graph.nodes),
        outputs=tuple(structs.replace(output, node=names[output.node]) for output in graph.outputs),
    )


def anonymous(graph: Graph) -> Graph:
    """Return the graph as a file without names of modules has it."""
    return with_names(
        graph,
        {
            node.name: f"{node.op.name}_{i}" if node.inputs else node.name
            for i, node in enumerate(graph.nodes)
        },
    )


def unordered(node: Node) -> Node:
    """Return a node whose inputs are sorted if their order does not matter."""
    if not node.op.commutative:
        return node
    pairs = sorted(zip(node.inputs, node.ins, strict=True))
    return structs.replace(
        node, inputs=tuple(name for name, _ in pairs), ins=tuple(shape for _, shape in pairs)
    )


def assert_says(folded: Folded, graph: Graph) -> None:
    made = expanded(folded)
    assert set(folded.names) == set(graph.by_name)
    wanted = with_names(graph, folded.names)
    of_spec = {node.name: unordered(structs.replace(node, at=None)) for node in made.nodes}
    assert of_spec == {name: unordered(node) for name, node in wanted.by_name.items()}
    assert made.outputs == wanted.outputs
    assert (made.name, made.about, made.paper) == (graph.name, graph.about, graph.paper)
    assert made.reference == graph.reference


def lines(folded: Folded) -> int:
    return len(folded.text.splitlines())


OTHER_ORDER = {"retinanet_resnet50_fpn"}
"""Networks whose outputs come in another order than their nodes would be written in."""


@pytest.mark.parametrize("name", ZOO)
def test_every_network_of_the_zoo_is_said_again(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if name not in OTHER_ORDER:
        monkeypatch.setattr(fold, "flat_document", pytest.fail)  # none other needs to be flat
    graph = language.load(name)
    for one in (graph, anonymous(graph)):
        folded = readable(one)
        assert_says(folded, one)
        assert lines(folded) <= len(to_yaml(one).splitlines())


@pytest.mark.parametrize("name", COMMON)
def test_common_networks_are_short(name: str) -> None:
    graph = language.load(name)
    for one in (graph, anonymous(graph)):
        assert lines(readable(one)) < 110


@pytest.mark.parametrize("name", COMMON)
def test_what_is_folded_stays_as_long(name: str) -> None:
    folded = readable(language.load(name))
    assert abs(lines(readable(expanded(folded))) - lines(folded)) <= 5


def test_resnet50_reads_as_a_person_writes_it() -> None:
    text = readable(anonymous(language.load("resnet50"))).text
    assert RESNET50 in text
    assert BOTTLENECK in text


def test_the_manual_shows_what_is_written() -> None:
    page = Path(__file__).parents[2] / "docs" / "language.md"
    assert readable(language.load("resnet50")).text in page.read_text(encoding="utf-8")


@given(graphs())
@settings(max_examples=60)
def test_any_graph_is_said_again(graph: Graph) -> None:
    ends = [output.node for output in graph.outputs]
    assume(len({*ends}) == len(ends))
    assume(all(graph.by_name[end].inputs for end in ends))
    order = list(graph.by_name)
    outputs = sorted(graph.outputs, key=lambda name: order.index(name.node))  # a text has no other
    graph = graph.only(graph.ancestors(*ends), tuple(outputs))
    assert_says(readable(graph), graph)


@given(specs())
@settings(max_examples=60)
def test_any_spec_is_said_again(text: dict[str, object]) -> None:
    graph = anonymous(language.graph(language.document("any.yaml", text=json.dumps(text).encode())))
    folded = readable(graph)
    assert_says(folded, graph)
    assert lines(folded) <= len(to_yaml(graph).splitlines())


def test_runs_in_runs_are_blocks() -> None:
    text = """
        name: runs
        input: [8, 16, 16]
        blocks:
          unit: {layers: [{conv: {out: 8, kernel: 3, padding: 1}}, relu]}
          pair: {layers: [{unit: {}, repeat: 3}, sigmoid]}
        layers:
          - pair: {}
            repeat: 4
    """
    graph = anonymous(language.graph(language.document("runs.yaml", text=text.encode())))
    folded = readable(graph)
    assert_says(folded, graph)
    assert "repeat: 3" in folded.text
    assert "repeat: 4" in folded.text


def test_a_residual_branch_may_repeat_residual_sums() -> None:
    text = """
        name: sums
        input: [8, 16, 16]
        blocks:
          sum:
            layers:
              - add: [[{conv: {out: 8, kernel: 3, padding: 1}}, relu], [{conv: 8}]]
              - relu
        layers:
          - add: [[{conv: 8}, {sum: {}, repeat: 3}], [{conv: 8}]]
    """
    graph = anonymous(language.graph(language.document("sums.yaml", text=text.encode())))
    folded = readable(graph)
    assert_says(folded, graph)
    assert "repeat: 3" in folded.text


def test_values_that_several_layers_read_have_names_in_their_block() -> None:
    """Two streams that exchange values: no branches that part and meet again."""
    graph = anonymous(language.load("rir_cifar10"))
    folded = readable(graph)
    assert_says(folded, graph)
    assert lines(folded) < 100


def test_layers_that_read_all_before_them_are_one_block() -> None:
    """DenseNet as torchvision writes it: each concat takes every earlier value by itself."""
    builder = GraphBuilder()
    x = builder.add("input", OPS["input"](size=(4, 8, 8)))
    for depth in (3, 5):
        features = [x]
        for _ in range(depth):
            count = len(builder.nodes)
            if len(features) > 1:
                x = builder.add(f"concat{count}", OPS["concat"](), features)
            made = builder.add(f"relu{count}", OPS["relu"](), [x])
            conv = OPS["conv"](out=2, kernel=3, padding=1)
            features.append(builder.add(f"conv{count}", conv, [made]))
        x = builder.add(f"concat_{depth}", OPS["concat"](), features)
        x = builder.add(f"maxpool{depth}", OPS["maxpool"](kernel=2), [x])
    graph = Graph("dense", tuple(builder.nodes.values()), (Output("output", x),))
    folded = readable(graph)
    assert_says(folded, graph)
    assert "- dense_block: 2\n  - maxpool: 2\n  - dense_block: 4\n" in folded.text


def test_networks_that_return_their_last_output_first_are_folded() -> None:
    net = language.load("resnet18")
    aux = Output("aux", "basic_stage2.basic1.relu")
    folded = readable(structs.replace(net, outputs=(*net.outputs, aux)))
    assert lines(folded) < 2 * lines(readable(net))
    assert [output.name for output in folded.graph.outputs] == ["aux", "output"]


def test_towers_with_the_same_weights_are_one_block() -> None:
    graph = language.load("triplet")
    folded = readable(anonymous(graph))
    assert_says(folded, anonymous(graph))
    assert folded.text.count("conv:") == 2
    assert folded.text.count("- tower: {}") == 3


def test_weights_shared_inside_a_block_do_not_prevent_it() -> None:
    graph = anonymous(language.load("cbam_resnet50"))
    folded = readable(graph)
    assert_says(folded, graph)
    assert lines(folded) < 80


@given(
    st.text(st.sampled_from("ab: #-'\"\\,[]{}&*!|>%@`?=~1é")),
    st.sampled_from(("true", "null", "12", "x", "an x: y", "https://a.b/c#d", "a #b", "~")),
)
@settings(max_examples=200)
def test_text_is_quoted_where_yaml_would_misread_it(about: str, paper: str) -> None:
    graph = structs.replace(language.load("lenet5"), about=about.strip(), paper=paper)
    assert_says(readable(graph), graph)


def test_another_peak_is_said() -> None:
    """A head that a module computes last holds its input, and a spec has it where the input is."""
    builder = GraphBuilder()
    builder.add("x", OPS["input"](size=(3, 8, 8)))
    layers = ("a", 8, "x"), ("b", 64, "a"), ("c", 4, "b"), ("early", 1, "a"), ("late", 1, "c")
    for name, out, source in layers:
        builder.add(name, OPS["conv"](out=out), [source])
    outputs = Output("early", "early"), Output("late", "late")
    graph = Graph("heads", tuple(builder.nodes.values()), outputs)
    folded = readable(graph).graph
    assert other_peak(graph, folded) == (
        "in the order of the spec, feature maps have a peak of 4,672 elements, in that of the"
        " source 4,864"
    )
    assert other_peak(folded, folded) == ""


def test_what_was_written_wrong_is_not_returned(monkeypatch: pytest.MonkeyPatch) -> None:
    graph = language.load("resnet18")
    wrong = readable(graph).text.replace("stride: 2", "stride: 1", 1)
    texts = iter([wrong, to_yaml(graph)])
    monkeypatch.setattr(fold, "document_text", lambda document: next(texts))
    folded = readable(graph)
    assert folded.text == to_yaml(graph)
    assert folded.names == {name: name for name in graph.by_name}


def test_layers_whose_weights_are_counted_as_usual_fold_all_the_same() -> None:
    """Bytes of the file that a graph comes from are no words of a spec; other counts are."""
    graph = anonymous(language.graph(language.document("resnet18")))
    nodes = tuple(
        structs.replace(node, new_params=node.facts.params, weight_bytes=2) for node in graph.nodes
    )
    assert readable(structs.replace(graph, nodes=nodes)).text == readable(graph).text


def test_counts_of_computed_weights_are_folded() -> None:
    """Counts that differ from stage to stage become parameters of the block."""
    graph = anonymous(language.graph(language.document("resnet18")))
    nodes = tuple(
        structs.replace(node, new_params=node.facts.params + node.out[0], weight_macs=node.out[0])
        if node.op.name == "conv"
        else node
        for node in graph.nodes
    )
    counted = structs.replace(graph, nodes=nodes)
    folded = readable(counted)
    assert_says(folded, counted)
    assert total(costs(folded.graph)) == total(costs(counted))
    assert lines(folded) < 2 * lines(readable(graph))


MIXER = """
inputs: {x: [8, 8]}
layers:
  - add:
      - identity
      - - layernorm
        - mul:
            - slice: {start: 0, stop: 4, axis: 1}
            - - slice: {start: 4, stop: 8, axis: 1}
              - silu
        - permute: [1, 0]
        - conv: 8
        - permute: [1, 0]
    repeat: 3
"""
TOKENS = """
inputs: {x: [8, 6, 8]}
blocks:
  apart:
    layers:
      - {slice: {start: 0, stop: 3, axis: 1}, name: near}
      - {slice: {start: 3, stop: 6, axis: 1}, from: in}
      - {conv: {out: 8, kernel: 3, padding: 1}, name: far}
      - concat: {axis: 1}
        from: [near, far]
      - relu
layers:
  - {apart: {}, repeat: 4}
"""
TABLE = """
inputs: {x: [8, 9]}
layers:
  - {conv: 8, name: q}
  - {scale: {}, from: q, share: table}
  - conv: 8
  - {relu: {}, name: s}
  - {add: {}, from: [q, s], name: t}
  - {scale: {}, from: t, share: table}
  - conv: 8
  - {relu: {}, name: u}
  - {add: {}, from: [t, u, s]}
"""
TURNS = """
inputs: {x: [3, 64, 64]}
blocks:
  part:
    with: {out: , stride: 1}
    layers:
      - conv: {out: =out, kernel: 1}
      - gelu
      - conv: {out: =out, kernel: 3, stride: =stride, padding: 1}
      - gelu
      - conv: {out: =out, kernel: 3, padding: 1}
      - gelu
      - conv: =2*out
      - mul:
          - identity
          - - global_avgpool
            - conv: =out
            - relu
            - conv: =2*out
            - sigmoid
layers:
  - conv: {out: 16, kernel: 3, padding: 1}
  - gelu
  - conv: {out: 32, kernel: 3, padding: 1}
  - gelu
  - conv: {out: 64, kernel: 3, padding: 1}
  - gelu
  - part: 8
  - part: {out: 16, stride: 2}
  - part: {out: 32, stride: 2}
  - part: 32
  - conv: {out: 16, kernel: 1}
  - gelu
"""


@pytest.mark.parametrize(("text", "most"), [(MIXER, 15), (TOKENS, 20), (TABLE, 22), (TURNS, 36)])
def test_layers_along_positions_and_unlike_instances_are_folded(text: str, most: int) -> None:
    """Slices and concatenations along positions, weights beside shared ones, unlike runs."""
    graph = anonymous(language.graph(language.document("net", text=text.encode())))
    folded = readable(graph)
    assert_says(folded, graph)
    assert lines(folded) <= most
