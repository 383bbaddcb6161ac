"""Layers -> graph: chains, branches, conditions, loops, blocks, and what feeds what."""

from __future__ import annotations

import pytest

from archscope.ir import Graph, Output
from tests.language.texts import graph_of, names, ops, refusal


def inputs(net: Graph, name: str) -> tuple[str, ...]:
    return net.by_name[name].inputs


def test_a_chain_reads_the_layer_before() -> None:
    net = graph_of("layers: [conv: 8, relu, maxpool: 2]")
    assert [(node.name, node.inputs, node.out) for node in net.nodes] == [
        ("input", (), (3, 32, 32)),
        ("conv", ("input",), (8, 32, 32)),
        ("relu", ("conv",), (8, 32, 32)),
        ("maxpool", ("relu",), (8, 16, 16)),
    ]
    assert net.outputs == (Output("output", "maxpool"),)
    assert net.name == "stdin"


@pytest.mark.parametrize(
    "layer",
    ["conv: 8", "conv: {out: 8}", "conv: {out: =8}", "conv: =8", "conv: =16/2", "conv: 8.0"],
)
def test_ways_to_write_one_value(layer: str) -> None:
    conv = graph_of(f"layers: [{layer}]").nodes[1]
    assert conv.op == graph_of("layers: [conv: 8]").nodes[1].op
    assert conv.out == (8, 32, 32)


def test_one_layer_needs_no_list() -> None:
    assert names(graph_of("layers: relu")) == ["relu"]


def test_then_is_repeated_along() -> None:
    net = graph_of("layers: [{conv: 8, then: [relu, dropout], repeat: 2}, {tanh: {}, then: gelu}]")
    assert ops(net) == ["conv", "relu", "dropout", "conv", "relu", "dropout", "tanh", "gelu"]
    assert inputs(net, "conv1") == ("dropout0",)


def test_branches() -> None:
    net = graph_of("layers: [add: [identity, {conv: 3}, [relu, {conv: 3}]], tanh]")
    assert inputs(net, "add") == ("input", "conv0", "conv1")
    assert inputs(net, "conv1") == ("relu",)
    assert inputs(net, "tanh") == ("add",)


def test_a_branch_that_becomes_empty_is_the_identity() -> None:
    net = graph_of("layers: [relu, add: [identity, {conv: 3, when: =x.channels != 3}]]")
    assert inputs(net, "add") == ("relu", "relu")


def test_branches_within_branches() -> None:
    net = graph_of("layers: [concat: [identity, [relu, {add: [identity, tanh]}, {conv: 2}]]]")
    assert inputs(net, "add") == ("relu", "tanh")
    assert inputs(net, "concat") == ("input", "conv")
    assert net.nodes[-1].out == (5, 32, 32)


def test_split_gives_each_branch_its_channels() -> None:
    even = graph_of("layers:\n- conv: 8\n- concat: [identity, relu]\n  split: 2")
    assert [(n.op.start, n.op.stop) for n in even.nodes if n.op.name == "slice"] == [(0, 4), (4, 8)]
    assert even.nodes[-1].inputs == ("slice0", "relu")
    uneven = graph_of(
        "let: {c: 3}\nlayers:\n- conv: 8\n- concat: [relu, tanh]\n  split: [=c, =x.channels - c]"
    )
    assert [uneven.by_name[n].out[0] for n in ("relu", "tanh")] == [3, 5]


@pytest.mark.parametrize("condition", ["true", "=x.channels == 3", "=1", "=in.height > 8 and 1"])
def test_when_it_is_true(condition: str) -> None:
    assert ops(graph_of(f"layers: [{{relu: {{}}, when: {condition}, else: tanh}}]")) == ["relu"]


@pytest.mark.parametrize("condition", ["false", "=x.channels != 3", "=0", "=not in.height"])
def test_else_when_it_is_not(condition: str) -> None:
    net = graph_of(f"layers: [{{relu: {{}}, when: {condition}, else: [tanh, gelu]}}]")
    assert ops(net) == ["tanh", "gelu"]
    text = f"layers: [tanh, {{relu: {{}}, then: gelu, when: {condition}}}]"
    assert ops(graph_of(text)) == ["tanh"]


def test_repeat_knows_its_turn() -> None:
    net = graph_of("layers: [{conv: =100 + 10*i + first + 2*last, repeat: 3}]")
    assert [node.out[0] for node in net.nodes[1:]] == [101, 110, 122]


def test_repeat_of_none() -> None:
    assert ops(graph_of("let: {n: 0}\nlayers: [tanh, {relu: {}, repeat: =n}]")) == ["tanh"]


def test_each_walks_lists_together() -> None:
    net = graph_of(
        """
        let: {widths: [4, 8], rows: [{k: 1, s: 2}, {k: 3, s: 1}]}
        layers:
          - conv: {out: =width + i, kernel: =row.k, stride: =row.s}
            each: {width: =widths, row: =rows}
        """
    )
    assert [node.out for node in net.nodes[1:]] == [(4, 16, 16), (9, 14, 14)]


def test_rows_may_be_computed() -> None:
    net = graph_of(
        """
        let: {n: 4, rows: [{c: =n, k: 1}, {c: "=max(n, 6)", k: 3}]}
        layers: [{conv: {out: =r.c, kernel: =r.k}, each: {r: =rows}}]
        """
    )
    assert [node.out for node in net.nodes[1:]] == [(4, 32, 32), (6, 30, 30)]


def test_nothing_given_is_the_default_where_that_is_nothing() -> None:
    given = graph_of("let: {s: }\nlayers: [maxpool: {kernel: 2, stride: }, maxpool: 2]")
    assert [node.out for node in given.nodes[1:]] == [(3, 16, 16), (3, 8, 8)]


def test_loops_within_loops() -> None:
    net = graph_of(
        "layers: [{conv: =10*(i + 1), repeat: 2, then: {conv: =i + 1, repeat: 2}}, {conv: 9}]"
    )
    assert [node.out[0] for node in net.nodes[1:]] == [10, 1, 2, 20, 1, 2, 9]


def test_x_enters_the_layer_and_in_the_block() -> None:
    net = graph_of(
        """
        blocks:
          b:
            layers:
              - conv: =2*in.channels
              - conv: =x.channels + in.channels
              - relu: {}
                when: =x == in
        layers: [b, b]
        """
    )
    assert [node.out[0] for node in net.nodes[1:]] == [6, 9, 18, 27]


def test_a_block_takes_arguments_defaults_and_defaults_of_defaults() -> None:
    text = """
    let: {base: 2}
    blocks:
      b:
        with: {out: , inner: =2*out, kernel: =base + 1}
        layers: [{conv: {out: =inner, kernel: =kernel}}, {conv: =out}]
    layers: [%s]
    """
    widths = {
        "b: 4": (8, 4),
        "b: {out: 4}": (8, 4),
        "b: {out: =base*3, inner: 1}": (1, 6),
        "b: {inner: =in.channels, out: 1}": (3, 1),
    }
    for layer, expected in widths.items():
        net = graph_of(text % layer)
        assert tuple(node.out[0] for node in net.nodes[1:]) == expected
        assert net.by_name["b.conv0"].op.kernel == 3


def test_a_block_does_not_see_the_names_where_it_stands() -> None:
    text = "blocks: {b: {layers: [conv: =i + 1]}}\nlayers: [{b: {}, repeat: 2}]"
    assert "unknown name 'i' in '=i + 1'" in refusal(text)


def test_blocks_within_blocks() -> None:
    net = graph_of(
        """
        blocks:
          conv_relu: {with: {out: }, layers: [conv: =out, relu]}
          twice: {with: {out: }, layers: [{conv_relu: =out, repeat: 2}]}
        layers: [twice: 4, twice: 8]
        """
    )
    assert names(net) == [
        f"twice{i}.conv_relu{j}.{op}" for i in (0, 1) for j in (0, 1) for op in ("conv", "relu")
    ]
    assert [node.scope for node in net.nodes[1:3]] == ["twice0.conv_relu0"] * 2


def test_from_reads_any_layer_before() -> None:
    net = graph_of(
        """
        layers:
          - conv: 3
            name: a
          - relu: {}
            name: b
          - add: {}
            from: [a, b, in]
          - tanh: {}
            from: a
        """
    )
    assert inputs(net, "add") == ("a", "b", "input")
    assert inputs(net, "tanh") == ("a",)
    assert net.outputs == (Output("output", "tanh"),)


def test_from_in_is_what_enters_the_block() -> None:
    net = graph_of("blocks: {b: {layers: [conv: 3, {add: {}, from: [in, in]}]}}\nlayers: [relu, b]")
    assert inputs(net, "b.add") == ("relu", "relu")


def test_a_name_in_a_branch_is_known_behind_it() -> None:
    net = graph_of(
        "layers: [add: [identity, {conv: 3, name: side}], {concat: {}, from: [side, in]}]"
    )
    assert inputs(net, "concat") == ("side", "input")


def test_names_stay_within_their_block() -> None:
    text = "blocks: {b: {layers: [{relu: {}, name: a}]}}\nlayers: [b, {tanh: {}, from: a}]"
    assert "no layer is named 'a'" in refusal(text)


def test_a_name_is_the_last_of_a_loop() -> None:
    net = graph_of("layers: [{relu: {}, name: a, repeat: 3}, tanh, {add: {}, from: [a, in]}]")
    assert inputs(net, "add") == ("a2", "input")


def test_from_holds_for_the_first_turn() -> None:
    net = graph_of("layers: [{conv: 3, name: a}, tanh, {relu: {}, from: a, repeat: 2}]")
    assert [inputs(net, "relu0"), inputs(net, "relu1")] == [("a",), ("relu0",)]


def test_several_values_enter_a_block() -> None:
    net = graph_of(
        """
        inputs: {left: [3, 8, 8], right: [5, 8, 8]}
        blocks:
          merge:
            layers: [concat, {conv: "=in[0].channels * in[1].channels"}]
        layers: [{merge: {}, from: [left, right]}]
        """
    )
    assert inputs(net, "merge.concat") == ("left", "right")
    assert net.nodes[-1].out == (15, 8, 8)


def test_several_inputs() -> None:
    net = graph_of(
        """
        inputs: {image: [3, 8, 8], table: [4]}
        layers:
          - flatten: {}
            from: image
            name: flat
          - concat: {}
            from: [flat, table]
          - linear: 2
        """
    )
    assert [(node.name, node.out) for node in net.inputs] == [("image", (3, 8, 8)), ("table", (4,))]
    assert net.by_name["concat"].out == (196,)


def test_let_is_computed_in_any_order() -> None:
    net = graph_of("let: {a: =b*2, b: =c + 1, c: 3, unused: =1/0}\nlayers: [conv: =a]")
    assert net.nodes[-1].out[0] == 8


def test_the_shape_of_an_input_may_be_computed() -> None:
    assert graph_of("input: [3, =n, =2*n]\nlet: {n: 8}\nlayers: relu").nodes[0].out == (3, 8, 16)


def test_what_a_spec_says_of_itself() -> None:
    net = graph_of(
        """
        name: tiny
        about: a network
        paper: arXiv 1234
        reference: {params: 12, macs: 1024, source: by hand, top1: 71.5, top1_recipe: tv_in1k}
        layers: [conv: 3]
        """
    )
    assert (net.name, net.about) == ("tiny", "a network")
    assert dict(net.reference) == {
        "params": 12, "macs": 1024, "source": "by hand", "top1": 71.5, "top1_recipe": "tv_in1k",
    }  # fmt: skip


def test_nodes_know_their_lines() -> None:
    net = graph_of("layers:\n  - conv: 3\n    then: [relu]\n  - tanh")
    assert [str(node.at) for node in net.nodes] == [
        "spec.yaml:1:8", "spec.yaml:3:5", "spec.yaml:4:12", "spec.yaml:5:5",
    ]  # fmt: skip
