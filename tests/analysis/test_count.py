from __future__ import annotations

import pytest

from archscope import analyze, load
from archscope.analysis.count import COUNTS
from archscope.analysis.im2col import im2col
from archscope.errors import GraphError
from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph, Op, Output
from archscope.ops import OPS

conv = OPS["conv"]


def one_layer(channels: int, size: int, op: Op) -> Graph:
    builder = GraphBuilder()
    builder.add("input", OPS["input"](size=(channels, size, size)))
    builder.add("conv", op, ["input"])
    return Graph("one", tuple(builder.nodes.values()), (Output("output", "conv"),))


def test_seed_counts_a_bias_as_one_more() -> None:
    k, cin, cout = 5, 3, 16
    graph = load(f"INPUT {cin}x32x32 -> CONV {cout} {k}x{k} -> RELU")
    out = 32 * 32
    assert analyze(graph, count="seed").totals.counted == (k * k * cin + 1) * cout * out
    assert analyze(graph, count="macs").totals.counted == k * k * cin * cout * out


def test_strict_counts_every_operation() -> None:
    totals = analyze(load("vgg16"), count="strict").totals
    assert totals.counted == 2 * totals.macs + totals.elementwise


@pytest.mark.parametrize("count", COUNTS)
def test_layers_add_up(count: str) -> None:
    analysis = analyze(load("resnet50"), count=count)
    assert sum(layer.counted for layer in analysis.layers) == analysis.totals.counted


def test_im2col_of_alexnets_first_layer() -> None:
    view = im2col(one_layer(3, 227, conv(out=96, kernel=11, stride=4)), "conv")
    assert view.columns == (363, 3025)
    assert view.weights == (96, 363)
    assert view.output == (96, 3025)
    assert view.column_elements == 363 * 3025
    assert view.blow_up == pytest.approx(363 * 3025 / (3 * 227 * 227))


def test_im2col_of_groups() -> None:
    view = im2col(one_layer(8, 8, conv(out=16, kernel=3, padding=1, groups=4)), "conv")
    assert (view.groups, view.columns, view.weights) == (4, (18, 64), (4, 18))
    assert view.column_elements == 4 * 18 * 64


def test_im2col_needs_a_convolution() -> None:
    graph = load("INPUT 3x8x8 -> CONV 4 -> RELU")
    with pytest.raises(GraphError, match="expected a convolution, got 'relu', which is 'relu'"):
        im2col(graph, "relu")
    with pytest.raises(GraphError, match="has no node 'conv1'"):
        im2col(graph, "conv1")
