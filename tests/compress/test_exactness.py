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
    "densenet_40_12_cifar10", "hard_attention_cifar10", "mobilenet_v3_small",
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


@pytest.mark.parametrize(
    "make",
    [
        split_and_shared, transposed_weights, reshaped, grouped, selected, held_otherwise,
        along_positions,
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
