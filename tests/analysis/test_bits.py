"""Macs by the bits of what they multiply: of every operator, and of networks by hand."""

from __future__ import annotations

import pytest
from msgspec import structs

from archscope import load
from archscope.analysis import analyze
from archscope.analysis.bits import macs_by_bits
from archscope.ir import INNER, WEIGHTS, Example, Graph
from archscope.report.tables.analysis import bits_table
from tests.nets import Net
from tests.ops.cases import every_case


@every_case
def test_factors_add_up_to_the_macs(case: Example) -> None:
    factors = case.op.factors(*case.ins)
    assert sum(macs for *_, macs in factors) == case.op.macs(*case.ins)
    places = range(len(case.ins))
    if case.op.macs(*case.ins):
        for *pair, _ in factors:
            assert all(place in places or place in (WEIGHTS, INNER) for place in pair)


def rows(graph: Graph, dtype: str | None = None, batch: int = 1) -> dict[tuple[int, int], int]:
    result = analyze(graph, dtype=dtype, batch=batch)
    assert sum(row.macs for row in result.macs_by_bits) == result.totals.macs
    assert [*result.macs_by_bits] == sorted(result.macs_by_bits, key=structs.astuple)
    return {(row.weights, row.inputs): row.macs for row in result.macs_by_bits}


def with_bits(graph: Graph, **bits: int) -> Graph:
    """Return a graph with weights of layers, by name, stored in so many bits."""
    nodes = (structs.replace(node, weight_bits=bits.get(node.name)) for node in graph.nodes)
    return structs.replace(graph, nodes=tuple(nodes))


def test_a_network_of_one_type_has_one_row() -> None:
    graph = load("lenet5")
    assert rows(graph) == {(32, 32): 416520}
    assert rows(graph, "float16", 3) == {(16, 16): 3 * 416520}
    assert bits_table(analyze(graph)) == bits_table(analyze(graph, dtype="int8")) == []
    assert rows(load("INPUT 3x8x8 -> RELU")) == {}


def test_bits_of_inputs_come_from_the_levels_before_through_what_only_selects() -> None:
    net = Net(x=(4, 8, 8))
    first = net("conv", "x", out=6, kernel=1)  # 24 * 64 macs
    few = net("fake_quantize", first, scale=0.1, zero=0, levels=16)
    same = net("channel_shuffle", net("maxpool", net("relu", few), kernel=2), groups=2)
    second = net("conv", same, out=8, kernel=1)  # 48 * 16
    mean = net("conv", net("avgpool", few, kernel=2), out=8, kernel=1)  # 48 * 16
    one = net("fake_quantize", net("add", second, mean), scale=0.1, zero=0.5, levels=2)
    wide = net("concat", one, same)
    third = net("conv", wide, out=2, kernel=1)  # 28 * 16
    part = net("linear", net("flatten", net("slice", one, start=0, stop=2)), out=3)  # 32 * 3
    graph = net.graph(part, net("linear", net("flatten", third), out=3))  # 32 * 3
    names = [node.name for node in graph.nodes if node.op.name in ("conv", "linear")]
    graph = with_bits(graph, **dict(zip(names, (8, 4, 4, 1, 2, 32), strict=True)))
    assert rows(graph, batch=2) == {
        (8, 32): 2 * 24 * 64,
        (4, 4): 2 * 48 * 16,
        (4, 32): 2 * 48 * 16,
        (1, 4): 2 * 28 * 16,
        (2, 1): 2 * 32 * 3,
        (32, 32): 2 * 32 * 3,
    }
    assert rows(graph, "float16") == {
        (16, 16): 24 * 64 + 48 * 16 + 32 * 3,
        (16, 4): 48 * 16 + 28 * 16,
        (16, 1): 32 * 3,
    }
    (table,) = bits_table(analyze(graph))
    assert table.rows[0][:3] == ("1", "4", 28 * 16)


@pytest.mark.parametrize(("levels", "bits"), [(1, 1), (2, 1), (3, 2), (4, 2), (255, 8), (257, 9)])
def test_bits_of_levels(levels: int, bits: int) -> None:
    net = Net(x=(4,))
    net("linear", net("fake_quantize", "x", scale=0.1, zero=0, levels=levels), out=2)
    assert rows(net.graph()) == {(32, bits): 8}


def test_products_of_activations() -> None:
    net = Net(q=(2, 5, 3), k=(2, 7, 3), v=(2, 7, 4))
    q = net("fake_quantize", "q", scale=0.1, levels=256)
    k = net("fake_quantize", "k", scale=0.1, zero=0, levels=16)
    v = net("fake_quantize", "v", scale=0.1, zero=1.5, levels=4)
    attended = net("scaled_dot_product_attention", q, k, v)
    graph = net.graph(attended, net("matmul", q, net("permute", k, order=(0, 2, 1))))
    assert rows(graph) == {
        (4, 8): 2 * (2 * 5 * 7 * 3),
        (2, 32): 2 * 5 * 7 * 4,
    }


def test_products_inside_recurrent_layers_and_shared_weights() -> None:
    net = Net(x=(3, 5))
    few = net("fake_quantize", "x", scale=0.1, zero=0, levels=16)
    first = net("rnn", few, hidden=4, name="first")
    net("rnn", "x", hidden=4, name="second", shares="first")
    graph = with_bits(net.graph(first, "second"), first=8)
    assert rows(graph) == {(8, 4): 5 * 12, (8, 32): 5 * (12 + 2 * 16)}


def test_macs_that_compute_weights_are_plain() -> None:
    graph = load("lenet5")
    nodes = tuple(
        structs.replace(node, weight_macs=10, weight_bits=8) if node.name == "linear1" else node
        for node in graph.nodes
    )
    found = macs_by_bits(structs.replace(graph, nodes=nodes), "float32")
    assert {(row.weights, row.inputs): row.macs for row in found} == {
        (8, 32): 840, (32, 32): 416520 - 840 + 10,
    }  # fmt: skip
