"""Documents as text: what is written reads as the document, in one style."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from archscope import language
from archscope.errors import GraphError
from archscope.ir import Graph, Output, Source
from archscope.language.flatten import flat_document, with_places
from archscope.language.write import WIDTH, document_text, layer_text, to_yaml
from archscope.ops import OPS
from archscope.sources import is_plain
from tests.nets import Net
from tests.strategies import graphs

HEAD = "name: net\ninput: [4, 8, 8]\n"


def document(text: str) -> language.Document:
    return language.document("net.yaml", text=text.encode())


def written(text: str) -> str:
    return document_text(document(text))


@pytest.mark.parametrize("name", sorted(language.zoo()))
def test_a_flat_document_has_the_places_of_its_text(name: str) -> None:
    """Places of lines are counted, so that an imported model need not be written and read."""
    graph = language.load(name)
    nodes = tuple(structs.replace(node, at=None) for node in graph.nodes)
    graph = structs.replace(graph, nodes=nodes, reference=())
    flat = flat_document(graph, "net.yaml")
    read = document(to_yaml(graph))
    assert (
        language.graph(read)
        == language.graph(flat)
        == structs.replace(with_places(graph, flat), sites={})
    )
    assert read.body.at == flat.body.at


@given(graphs())
@settings(max_examples=100)
def test_a_plain_graph_is_what_its_document_says(graph: Graph) -> None:
    ends = [output.node for output in graph.outputs]
    if len({*ends}) < len(ends):
        with pytest.raises(GraphError, match="is two outputs"):
            flat_document(graph)
    elif is_plain(graph, language.LIMITS):
        flat = flat_document(graph, "net.yaml")
        assert language.graph(document(to_yaml(graph))) == with_places(graph, flat)


@pytest.mark.parametrize("end", ["middle", "x"])
def test_a_graph_that_its_text_would_change_is_not_plain(end: str) -> None:
    net = Net(x=(4, 8, 8))
    middle = net("conv", "x", name="middle", out=4)
    last = net("relu", middle, name="last")
    assert is_plain(net.graph(last), language.LIMITS)
    assert not is_plain(net.graph(Output("a", last), Output("b", end)), language.LIMITS)
    assert not is_plain(net.graph(end), language.LIMITS), "something is not read"
    assert not is_plain(net.graph(last), language.Limits(nodes=2))


def test_an_operator_as_a_layer() -> None:
    assert layer_text(OPS["relu"]()) == "relu"
    assert layer_text(OPS["maxpool"](kernel=2)) == "maxpool: 2"
    assert layer_text(OPS["conv"](out=64, kernel=(1, 7))) == "conv: {out: 64, kernel: [1, 7]}"


def test_short_chains_stand_in_brackets_and_modifiers_in_one_order() -> None:
    text = """
blocks:
  pair:
    layers: [batchnorm, relu]
  unit:
    about: a unit
    with: {out: , kernel: 3}
    layers:
      - conv: {out: =out, kernel: =kernel, padding: =kernel//2}
      - pair

layers:
  - conv: 4
    name: first
    then: [relu, {maxpool: 2}]
    repeat: 2
  - concat:
      - identity
      - - identity
      - - relu
        - unit: {out: "=max(8, in.channels)"}
      - conv: 4
        when: =in.channels > 2
        else: {conv: 8}
    from: first
    output: {name: side, weight: 0.3, train_only: true}
  - add:
      - relu
      - sigmoid
    split: 2
"""
    assert written(HEAD + text) == HEAD + text


def test_what_is_too_long_for_a_line_takes_several() -> None:
    numbers = list(range(1, 60))
    names = ", ".join(f"parameter_{number}: {number}" for number in range(12))
    text = written(
        f"{HEAD}let:\n  rows: [{{long: {numbers}, other: [1, 2]}}, {{long: [1], other: [2]}}]\n"
        f"blocks:\n  unit: {{with: {{{names}}}, layers: [relu]}}\n"
        f"layers: [{{unit: {{{names}}}}}]\n"
    )
    assert f"    - long: {numbers}\n      other: [1, 2]\n    - {{long: [1], other: [2]}}\n" in text
    assert "    with:\n      parameter_0: 0\n" in text
    assert "  - unit:\n      parameter_0: 0\n" in text
    assert all(len(line) <= WIDTH for line in text.splitlines() if "long" not in line)
    assert written(text) == text


def test_holes_are_written_with_their_tags() -> None:
    text = """let:
  depth: !int {low: 1, high: 9, step: 2}
  rate: !float {low: 0.001, high: 0.1, log: true}
  width: !choice [0.5, =1/2, [1, 2]]

layers:
  - conv: {out: !choice {of: [4, 8], shared: true}, kernel: 3}
    repeat: =depth
"""
    assert written(HEAD + text) == HEAD + text


@given(st.text(st.sampled_from("ab: #-'\"\\,[]{}&*!|>%@`?=~1é😀\n\t")), st.booleans())
@settings(max_examples=200)
def test_any_text_is_read_again(about: str, inline: bool) -> None:
    about = about.strip()
    plain = document(HEAD + "layers: [relu]")
    reference = {"note": about} if inline else {}
    written = structs.replace(plain, about="" if inline else about, reference=reference)
    again = document(document_text(written))
    assert (again.about, again.reference) == (written.about, written.reference)


def test_places_count_from_the_top_of_the_file() -> None:
    net = Net(a=(4, 8, 8), b=(4, 8, 8))
    graph = structs.replace(net.graph(net("relu", net("add", "a", "b"))), about="two inputs")
    found = with_places(graph, flat_document(graph, "net.yaml"))
    assert [node.at for node in found.nodes] == [
        Source("net.yaml", 4, 6), Source("net.yaml", 5, 6),
        Source("net.yaml", 7, 5), Source("net.yaml", 10, 5),
    ]  # fmt: skip
