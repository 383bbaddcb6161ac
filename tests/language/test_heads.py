"""Weights that are shared, and results: the end of the chain, side heads, heads for training."""

from __future__ import annotations

import pytest

from archscope.analysis.cost import costs, sums_of, total
from archscope.analysis.count import counted
from archscope.errors import GraphError
from archscope.ir import Graph, Output
from tests.language.texts import graph_of, names, refusal


def shares(net: Graph) -> dict[str, str]:
    return {node.name: node.shares for node in net.nodes if node.shares}


TOWERS = """
inputs: {left: [3, 16, 16], right: [3, 16, 16]}
blocks:
  tower:
    layers: [conv: 8, batchnorm, relu, {conv: 8, repeat: 2}, flatten, linear: 4]
layers:
  - tower: {}
    from: left
    name: a
    share: tower
  - tower: {}
    from: right
    name: b
    share: tower
  - distance: {}
    from: [a, b]
"""


def test_a_block_shared_is_shared_part_for_part() -> None:
    net = graph_of(TOWERS)
    assert shares(net) == {
        f"b.{part}": f"a.{part}" for part in ("conv0", "batchnorm", "conv1", "conv2", "linear")
    }
    assert net.by_name["distance"].inputs == ("a.linear", "b.linear")


def test_a_third_shares_with_the_first() -> None:
    net = graph_of("layers: [{conv: 3, share: w, repeat: 3}]")
    assert shares(net) == {"conv1": "conv0", "conv2": "conv0"}


def test_other_keys_are_other_weights() -> None:
    net = graph_of(
        "layers: [{conv: 3, share: a}, {conv: 3, share: b}, {conv: 3, share: a}, {conv: 3}]"
    )
    assert shares(net) == {"conv2": "conv0"}


def test_what_has_no_weights_shares_none() -> None:
    assert shares(graph_of("layers: [{relu: {}, share: a}, {relu: {}, share: a}]")) == {}


def test_a_key_is_known_within_its_block() -> None:
    text = "blocks: {b: {layers: [{conv: 3, share: w}, {conv: 3, share: w}]}}\nlayers: [b, b]"
    assert shares(graph_of(text)) == {"b0.conv1": "b0.conv0", "b1.conv1": "b1.conv0"}


def test_shared_blocks_with_shared_layers_inside() -> None:
    text = """
    blocks: {b: {layers: [{conv: 3, share: w}, {conv: 3, share: w}]}}
    layers: [{b: {}, share: b}, {b: {}, share: b}]
    """
    assert shares(graph_of(text)) == {
        "b0.conv1": "b0.conv0", "b1.conv0": "b0.conv0", "b1.conv1": "b0.conv0",
    }  # fmt: skip


def test_other_sizes_of_maps_may_share_but_not_other_weights() -> None:
    text = "layers: [{conv: 3, share: w}, maxpool: 2, {conv: %s, share: w}]"
    assert shares(graph_of(text % 3)) == {"conv1": "conv0"}
    assert "'conv1' cannot share weights: it is nn.Conv2d(3, 4, 1)" in refusal(text % 4)


def test_weights_may_be_shared_by_layers_that_use_them_otherwise() -> None:
    text = """
    layers:
      - {conv: {out: 3, kernel: 3, bias: false}, share: w}
      - {conv: {out: 3, kernel: 3, bias: false, stride: 2, padding: [[1, 0], [0, 1]]}, share: w}
      - {conv_transpose: {out: 3, kernel: 3, bias: false}, share: w}
      - {batchnorm: {eps: 0.1}, share: n}
      - {batchnorm: {}, share: n}
    """
    assert shares(graph_of(text)) == {
        "conv1": "conv0", "conv_transpose": "conv0", "batchnorm1": "batchnorm0",
    }  # fmt: skip
    wider = text.replace("conv_transpose: {out: 3", "conv_transpose: {out: 4")
    assert "'conv_transpose' cannot share weights" in refusal(wider)
    with_bias = text.replace("out: 3, kernel: 3, bias: false, stride", "out: 3, kernel: 3, stride")
    assert "'conv1' cannot share weights" in refusal(with_bias)


def test_params_that_count_elsewhere() -> None:
    text = "let: {n: 3}\nlayers: [conv: 3, {conv: 3, params: %s}, conv: 3]"
    for said in (3, "=n"):
        net = graph_of(text % said)
        assert total(costs(net)).params == sums_of(net.nodes)[0] == 12 + 3 + 12
        assert net.nodes[2].facts.params == 12
    assert "'params' must be a whole number of at least 0, got -3" in refusal(text % -3)
    assert "'params' must be a whole number of at least 0, got 'a'" in refusal(text % "a")
    assert "cannot stand here" in refusal(text % "!choice [1, 2]")
    assert "a block" in refusal("blocks: {b: {layers: relu}}\nlayers: [{b: {}, params: 3}]")


def test_macs_by_which_weights_are_computed() -> None:
    layers = "layers: [{conv: 3, share: c}, {conv: 3, weight_macs: 7, share: c}, conv: 3]"
    own = "layers: [{conv: 3, share: c, weight_macs: 7}, {conv: 3, share: c}, conv: 3]"
    plain = total(costs(graph_of(layers))).macs  # weights that another layer holds are there
    net = graph_of(own)
    assert total(costs(net)).macs == sums_of(net.nodes)[2] == plain + 7
    assert total(costs(net, 2)).macs == 2 * (plain + 7)
    assert counted(net, "macs") == {name: cost.macs for name, cost in costs(net).items()}
    with pytest.raises(
        GraphError, match="computed weights, such as conv at conv0: their count in torch is unknown"
    ):
        counted(net, "torch")


HEAD = """
layers:
  - conv: 8
  - flatten: {}
    then: {linear: 4}
    output: %s
  - relu
"""


def test_a_head_leaves_the_chain() -> None:
    net = graph_of(HEAD % "aux")
    assert net.outputs == (Output("aux", "linear"), Output("output", "relu"))
    assert net.by_name["relu"].inputs == ("conv",)


def test_what_a_head_says_of_itself() -> None:
    net = graph_of("let: {w: 0.6}\n" + HEAD % "{name: aux, weight: =w/2, train_only: true}")
    assert net.outputs[0] == Output("aux", "linear", 0.3, True)
    assert net.main == Output("output", "relu")


def test_without_the_training_heads() -> None:
    net = graph_of(HEAD % "{name: aux, train_only: true}").inference()
    assert names(net) == ["conv", "relu"]
    assert net.outputs == (Output("output", "relu"),)


def test_heads_alone_are_the_outputs() -> None:
    net = graph_of("layers: [conv: 8, {conv: 2, output: boxes}, {conv: 4, output: classes}]")
    assert net.outputs == (Output("boxes", "conv1"), Output("classes", "conv2"))
    assert net.by_name["conv2"].inputs == ("conv0",)


def test_a_head_behind_the_end_leaves_the_end_an_output() -> None:
    net = graph_of(
        """
        layers:
          - conv: 8
            name: trunk
          - relu
          - tanh: {}
            from: trunk
            output: {name: aux, train_only: true}
        """
    )
    assert net.outputs == (Output("aux", "tanh", 1.0, True), Output("output", "relu"))


def test_a_head_that_when_leaves_out_is_no_output() -> None:
    text = "layers: [relu, {tanh: {}, when: %s, output: aux}, gelu]"
    assert [output.name for output in graph_of(text % "true").outputs] == ["aux", "output"]
    assert graph_of(text % "false").outputs == (Output("output", "gelu"),)


def test_a_head_inside_a_block() -> None:
    text = "blocks: {b: {layers: [relu, {tanh: {}, output: aux}]}}\nlayers: [b, gelu]"
    net = graph_of(text)
    assert net.outputs == (Output("aux", "b.tanh"), Output("output", "gelu"))
    assert net.by_name["gelu"].inputs == ("b.relu",)


def test_the_end_may_not_take_the_name_of_a_head() -> None:
    text = "layers: [{conv: 8, output: output}, relu]"
    assert refusal(text) == "2:9: two outputs are named 'output'"
