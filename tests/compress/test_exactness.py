"""A pruned network computes the same as the original with the removed channels set to zero."""

from __future__ import annotations

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from archscope import load
from archscope.compress import channel_groups
from archscope.compress.channels import Flow
from archscope.errors import ArchscopeError
from archscope.ir import Graph
from archscope.language.files import zoo
from tests.compress.exactness import at_random, difference, lively
from tests.nets import Net
from tests.strategies import graphs

EVERY = bool(os.environ.get("ARCHSCOPE_EVERY_MODEL"))
FAMILIES = {
    "lenet5", "siamese", "multitask", "squeezenet1_1", "resnet18", "mobilenet_v2", "ghostnet",
    "shufflenet_v1_g2", "shufflenet_v1_g3", "shufflenet_v2_x0_5", "regnet_y_400mf", "googlenet",
    "densenet_40_12_cifar10", "hard_attention_cifar10", "mobilenet_v3_small", "deit_tiny", "crnn",
}  # fmt: skip
CLOSE = 1e-9


def every_output(graph: Graph) -> Graph:
    """Return a graph whose auxiliary heads run at inference, too."""
    outputs = tuple(structs.replace(output, train_only=False) for output in graph.outputs)
    return structs.replace(graph, outputs=outputs)


def small(name: str) -> Graph:
    """Return a network of the zoo for the smallest of some inputs that it takes."""
    graph = load(name)
    if len(graph.inputs) > 1 or graph.inputs[0].out[-1] <= 64:
        return graph
    for size in (64, 75, 96, 128, 160):
        try:
            return load(name, input=(3, size, size))
        except ArchscopeError:
            continue
    return graph


@pytest.mark.parametrize("name", zoo())
def test_network_of_the_zoo(name: str) -> None:
    if not EVERY and name not in FAMILIES:
        pytest.skip("runs where ARCHSCOPE_EVERY_MODEL is set; others of its family run")
    graph = every_output(small(name))
    groups = channel_groups(graph)
    removed = at_random(groups, 0.3)
    assert removed
    assert difference(groups, removed, lively(graph)) < CLOSE


@settings(max_examples=60, deadline=None)
@given(graphs(), st.integers(0, 9))
def test_random_network(graph: Graph, seed: int) -> None:
    groups = channel_groups(graph)
    assert difference(groups, at_random(groups, 0.5, seed), lively(graph)) < CLOSE


def split_and_shared() -> Graph:
    """Layers of shared weights that read different parts of one value."""
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="stem", out=12)
    net("slice", "stem", name="low", start=0, stop=6)
    net("slice", "stem", name="high", start=6, stop=12)
    net("conv", "low", name="tower", out=6, kernel=3, padding=1)
    net("conv", "high", name="again", out=6, kernel=3, padding=1, shares="tower")
    net("concat", "tower", "again", name="both")
    net("add", "both", "stem", name="sum")
    net("flatten", "sum", name="flat")
    net("linear", "flat", name="classes", out=5)
    return net.graph()


def transposed_weights() -> Graph:
    """A decoder that reads the weights of its encoder along the other axis."""
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="stem", out=8)
    net("conv", "stem", name="down", out=16, kernel=2, stride=2, bias=False)
    net("conv_transpose", "down", name="up", out=8, kernel=2, bias=False, shares="down")
    net("conv", "up", name="last", out=2)
    return net.graph()


def reshaped() -> Graph:
    """Channels that are spread over positions, and gathered again."""
    net = Net(x=(4, 4, 4))
    net("conv", "x", name="first", out=32)
    net("reshape", "first", name="wide", size=(8, 8, 8))
    net("conv", "wide", name="second", out=24, kernel=3, padding=1)
    net("pixel_shuffle", "second", name="large", block=2)
    net("space_to_depth", "large", name="back", block=2)
    net("maxout", "back", name="max", pieces=3)
    net("flatten", "max", name="flat")
    net("reshape", "flat", name="map", size=(8, 8, 8))
    net("conv", "map", name="last", out=3)
    return net.graph()


def grouped() -> Graph:
    """Grouped and transposed grouped convolutions, by whole groups and by shares of them."""
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="stem", out=24)
    net("conv", "stem", name="many", out=48, kernel=3, padding=1, groups=8)
    net("groupnorm", "many", name="norm", groups=12)
    net("conv", "norm", name="few", out=16, groups=2)
    net("conv_transpose", "few", name="up", out=16, groups=2)
    net("conv_transpose", "up", name="depthwise", out=32, groups=16)
    net("conv", "depthwise", name="last", out=3)
    return net.graph()


def selected() -> Graph:
    """Channels that are selected, reversed, repeated, padded, and taken with a step."""
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="stem", out=12)
    net("index_select", "stem", name="picked", index=(11, 3, 3, 0, 5, 8))
    net("flip", "picked", name="reversed", axes=(0,))
    net("tile", "reversed", name="twice", times=2)
    net("slice", "stem", name="every", start=1, stop=12, step=3)
    net("pad", "every", name="padded", channels=(3, 5))
    net("add", "twice", "padded", name="sum")
    net("glu", "sum", name="half")
    net("conv", "half", name="last", out=3)
    return net.graph()


def held_otherwise() -> Graph:
    """Weight norm, constant filters, learned factors, and fixed statistics."""
    net = Net(x=(3, 9, 9))
    net("weight_norm_conv", "x", name="first", out=12, kernel=3, padding=1)
    net("frozen_batchnorm", "first", name="norm")
    net("fixed_conv", "norm", name="blur", out=12, kernel=3, stride=2, padding=1, groups=12)
    net("learned", "blur", name="scale", size=(12, 1, 1), function="mul")
    net("learned", "scale", name="shift", size=(1, 1, 1))
    net("weight_norm_conv", "shift", name="second", out=16, kernel=3, groups=2)
    net("unfold", "second", name="windows", kernel=2)
    net("flatten", "windows", name="flat")
    net("weight_norm_linear", "flat", name="hidden", out=10)
    net("weight_norm_linear", "hidden", name="classes", out=4)
    return net.graph()


def along_positions() -> Graph:
    """Tokens, attention along positions, and a recurrent layer that reads the channels."""
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="stem", out=12, kernel=4, stride=4)
    net("reshape", "stem", name="tokens", size=(12, 4))
    net("class_token", "tokens", name="token")
    net("position_embedding", "token", name="placed")
    net("softmax", "placed", name="weights", axis=1)
    net("mul", "placed", "weights", name="attended")
    net("reduce", "attended", name="mean", function="sum", axes=(1,))
    net("div", "attended", "mean", name="shares")
    net("lstm", "shares", name="sequence", hidden=6, bidirectional=True)
    net("conv", "sequence", name="last", out=3)
    return net.graph()


def attention() -> Graph:
    """Heads of one input, of three with shared keys, with narrower values, and in windows."""
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="stem", out=12)
    net("layernorm", "stem", name="norm")
    net("conv", "norm", name="qkv", out=36)
    net("window_attention", "qkv", name="windows", heads=3, size=4, shift=2)
    net("conv", "windows", name="projected", out=12)
    net("reshape", "projected", name="tokens", size=(12, 64))
    net("conv", "tokens", name="two", out=32)
    net("dot_product_attention", "two", name="grouped", heads=4, key_heads=2)
    net("conv", "grouped", name="q", out=16)
    net("conv", "grouped", name="k", out=16)
    net("conv", "tokens", name="v", out=24)
    net("dot_product_attention", "q", "k", "v", name="attended", heads=4, causal=True)
    net("conv", "attended", name="last", out=3)
    return net.graph()


def attention_of_products() -> Graph:
    """Queries, keys and values that are reshaped, permuted, selected and multiplied."""
    net = Net(x=(3, 6, 2))
    net("reshape", "x", name="tokens", size=(3, 12))
    net("conv", "tokens", name="qkv", out=48)
    net("permute", "qkv", name="last", order=(1, 0))
    net("reshape", "last", name="heads", size=(12, 3, 4, 4))
    net("permute", "heads", name="apart", order=(1, 2, 0, 3))
    for index, part in enumerate("qkv"):
        net("select", "apart", name=part, index=index, axis=0)
    net("normalize", "k", name="unit", axis=2)
    net("permute", "unit", name="turned", order=(0, 2, 1))
    net("matmul", "q", "turned", name="scores")
    net("mul_scalar", "scores", name="scaled", factor=0.5)
    net("learned", "scaled", name="biased", size=(4, 12, 12))
    net("softmax", "biased", name="weights", axis=2)
    net("matmul", "weights", "v", name="mixed")
    net("permute", "mixed", name="back", order=(1, 0, 2))
    net("reshape", "back", name="flat", size=(12, 16))
    net("permute", "flat", name="first", order=(1, 0))
    net("conv", "first", name="projected", out=16)
    net("reshape", "projected", name="again", size=(4, 4, 12))
    net("permute", "again", name="rows", order=(0, 2, 1))
    net("scaled_dot_product_attention", "rows", "rows", "q", name="torch", mask=(4, 12, 12))
    net("einsum", "torch", "v", name="sums", equation="htw,htv->wvt")
    net("flatten", "sums", name="all")
    net("linear", "all", name="classes", out=3)
    return net.graph()


def selective_kernels() -> Graph:
    """Stacked branches, weighted by a softmax over the branches for each channel."""
    net = Net(x=(3, 6, 6))
    net("conv", "x", name="a", out=8, kernel=3, padding=1)
    net("conv", "x", name="b", out=8, kernel=3, padding=2, dilation=2)
    net("stack", "a", "b", name="both")
    net("reduce", "both", name="sum", function="sum", axes=(0,), keep=False)
    net("global_avgpool", "sum", name="pool")
    net("conv", "pool", name="squeeze", out=6)
    net("conv", "squeeze", name="select", out=16)
    net("reshape", "select", name="branches", size=(2, 8, 1, 1))
    net("softmax", "branches", name="shares")
    net("mul", "both", "shares", name="weighted")
    net("reduce", "weighted", name="chosen", function="sum", axes=(0,), keep=False)
    net("conv", "chosen", name="last", out=3)
    return net.graph()


def mixer() -> Graph:
    """Layers that read positions as channels, and channels again."""
    net = Net(x=(3, 4, 4))
    net("conv", "x", name="stem", out=12)
    net("reshape", "stem", name="tokens", size=(12, 16))
    net("permute", "tokens", name="turned", order=(1, 0))
    net("conv", "turned", name="hidden", out=10)
    net("gelu", "hidden", name="act")
    net("batchnorm", "act", name="norm")
    net("conv", "norm", name="positions", out=16)
    net("permute", "positions", name="back", order=(1, 0))
    net("add", "tokens", "back", name="sum")
    net("conv", "sum", name="last", out=3)
    return net.graph()


def recurrent() -> Graph:
    """Layers and cells whose hidden units are read at the next position, and by others."""
    net = Net(x=(5, 7))
    net("lstm", "x", name="lstm", hidden=6, layers=2, bidirectional=True)
    net("gru", "lstm", name="gru", hidden=4, bidirectional=True, bias=False)
    net("rnn", "gru", name="rnn", hidden=6, layers=2, function="relu")
    net("lstm", "rnn", name="projected", hidden=8, projection=4)
    net("select", "projected", name="first", index=0)
    net("select", "rnn", name="other", index=1)
    net("lstm_cell", "first", name="cell", hidden=6)
    net("slice", "cell", name="state", start=0, stop=6)
    net("slice", "cell", name="memory", start=6, stop=12)
    net("lstm_cell", "first", "state", "memory", name="next", hidden=6, shares="cell")
    net("slice", "next", name="result", start=0, stop=6)
    net("add", "result", "other", name="sum")
    net("gru_cell", "sum", "result", name="gates", hidden=6)
    net("linear", "gates", name="start", out=4)
    net("gru", "lstm", "start", name="decoder", hidden=4, result="state")
    net("linear", "decoder", name="classes", out=3)
    return net.graph()


SHAPES = [(24, 4), (4, 6, 4), (2, 12, 4), (3, 4, 8), (6, 16), (6, 4, 2, 2), (12, 2, 4), (8, 12)]


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_random_shapes(data: st.DataObject) -> None:
    """Axes that are merged and divided, in ways that fit, overlap or contradict each other."""
    net = Net(x=(3, 4))
    net("conv", "x", name="hidden", out=8)
    net("conv", "hidden", name="stem", out=24)
    ends = []
    for branch in range(2):
        last = "stem"
        for step in range(data.draw(st.integers(1, 3))):
            shape, name = data.draw(st.sampled_from(SHAPES)), f"{branch}{step}"
            order = data.draw(st.permutations(range(len(shape))))
            net("reshape", last, name=f"shaped{name}", size=shape)
            last = net("permute", f"shaped{name}", name=f"turned{name}", order=tuple(order))
        ends.append(net("reshape", last, name=f"end{branch}", size=(24, 4)))
    net("add", *ends, name="sum")
    net("conv", "sum", name="last", out=3)
    graph = net.graph()
    groups = channel_groups(graph)
    removed = at_random(groups, 0.5, data.draw(st.integers(0, 9)))
    assert removed
    assert difference(groups, removed, lively(graph)) < CLOSE


@pytest.mark.parametrize(
    "make",
    [
        split_and_shared, transposed_weights, reshaped, grouped, selected, held_otherwise,
        along_positions, attention, attention_of_products, selective_kernels, mixer, recurrent,
    ],
)  # fmt: skip
@pytest.mark.parametrize("seed", range(3))
def test_network_of_special_layers(make: object, seed: int) -> None:
    assert callable(make)
    graph = make()
    groups = channel_groups(graph)
    removed = at_random(groups, 0.5, seed)
    assert removed
    assert difference(groups, removed, lively(graph)) < CLOSE


def test_the_oracle_finds_a_wrong_slice() -> None:
    """A convolution whose input channels are sliced in another order."""
    net = Net(x=(3, 8, 8))
    net("conv", "x", name="first", out=8)
    net("conv", "first", name="second", out=2)
    graph = net.graph()
    groups = channel_groups(graph)
    removed = {next(g for g in groups.groups if g.removable).units[0].root}
    network = lively(graph)
    assert difference(groups, removed, network) < CLOSE
    right = groups.flows["second"]
    out, read = right.weights["weight"]
    assert read is not None
    wrong = {**right.weights, "weight": (out, read[::-1])}
    flows = {**groups.flows, "second": Flow(right.ins, right.out, wrong)}
    assert difference(structs.replace(groups, flows=flows), removed, network) > 1e-3
