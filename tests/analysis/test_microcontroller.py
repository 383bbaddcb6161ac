"""Flash, RAM and time on a microcontroller: as ST publishes them, by hand, and by simulation."""

from __future__ import annotations

import csv
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from scipy.optimize import nnls

from archscope import analyze, load
from archscope.analysis.memory import peak_of
from archscope.analysis.microcontroller import (
    NANOSECONDS,
    Microcontroller,
    flash_of,
    kind_of,
    microcontroller,
    ram_of,
    row_by_row,
)
from archscope.errors import OptionError, ShapeError
from archscope.ir import Graph, Output
from archscope.transforms.fuse import fuse
from tests.nets import Net, chain
from tests.strategies import graphs

TABLE = Path(__file__).parents[1] / "reference" / "stm32.csv"
ROWS = list(csv.DictReader(TABLE.read_text().splitlines()))
SEVEN = [
    index
    for index, row in enumerate(ROWS)
    if row["network"].startswith("mobilenet") and row["classes"] == "1000"
]


def network(row: dict[str, str]) -> Graph:
    values: dict[str, Any] = {"classes": int(row["classes"])}
    if row["width"]:
        values["width"] = float(row["width"])
    shape = tuple(map(int, row["input"].split("x")))
    return load(row["network"], set=values, input=shape)


GRAPHS = [network(row) for row in ROWS]
FOUND = [microcontroller(graph) for graph in GRAPHS]
published = pytest.mark.parametrize(("row", "found"), list(zip(ROWS, FOUND, strict=True)))


@published
def test_flash_is_what_st_publishes(row: dict[str, str], found: Microcontroller) -> None:
    off = 0.065 if row["network"] == "preresnet50" else 0.005
    assert found.flash_bytes / 1024 == pytest.approx(float(row["flash_kib"]), abs=off)


@published
def test_ram_is_as_far_off_as_the_manual_says(row: dict[str, str], found: Microcontroller) -> None:
    assert -0.21 < found.ram_bytes / 1024 / float(row["ram_kib"]) - 1 < 0.37


def test_ram_of_shufflenet_is_what_st_publishes_for_the_stm32n6() -> None:
    assert ram_of(load("shufflenet_v2_x0_5")) == 441 * 1024


@published
def test_times_are_near_the_published(row: dict[str, str], found: Microcontroller) -> None:
    assert found.milliseconds == pytest.approx(float(row["milliseconds"]), rel=0.125)


def times_model() -> tuple[Any, Any]:
    """Return (networks, 4) counts over the published times, and the times in nanoseconds."""
    counts = np.zeros((len(ROWS), len(NANOSECONDS)))
    kinds = list(NANOSECONDS)
    for row, graph in enumerate(GRAPHS):
        for node in graph.nodes:
            if node.facts.macs:
                counts[row, kinds.index(kind_of(node))] += node.facts.macs
                counts[row, kinds.index("output")] += node.facts.elements
    times = np.array([float(row["milliseconds"]) for row in ROWS]) * 1e6
    return counts / times[:, None], times


def fitted(counts: Any) -> Any:
    scale = counts.max(axis=0)
    return nnls(counts / scale, np.ones(len(counts)))[0] / scale


def test_coefficients_are_those_of_the_fit() -> None:
    counts, _ = times_model()
    assert list(NANOSECONDS.values()) == pytest.approx(fitted(counts), rel=2e-3)


def test_seven_times_leave_one_out() -> None:
    counts = times_model()[0][SEVEN]
    errors = [
        abs(counts[left] @ fitted(np.delete(counts, left, axis=0)) - 1)
        for left in range(len(SEVEN))
    ]
    assert len(errors) == 7
    assert max(errors) < 0.04
    assert np.mean(errors) < 0.02


@pytest.mark.parametrize(
    "name", ["resnet18", "densenet121", "googlenet", "mobilenet_v3_small", "siamese", "deit_tiny"]
)
def test_flash_is_the_weights_of_the_fused_network_in_int8(name: str) -> None:
    graph = load(name)
    fused = fuse(graph)
    assert flash_of(graph.inference()) == analyze(fused, dtype="int8").totals.weight_bytes
    assert ram_of(graph.inference()) == ram_of(fused) <= peak_of(fused)


def test_by_hand() -> None:
    net = Net(x=(3, 8, 8))
    first = net("conv", "x", out=4, kernel=3, padding=1, bias=False)
    norm = net("batchnorm", first)
    act = net("relu", norm)
    deep = net("conv", act, out=4, kernel=3, padding=1, groups=4)
    total = net("add", act, deep)
    pool = net("maxpool", total, kernel=2)
    net("linear", net("flatten", pool), out=10)
    found = microcontroller(net.graph())
    layers = {layer.name: layer for layer in found.layers}
    assert layers[first].flash_bytes == 4 * 27 + 4 * 4  # with the bias of the norm
    assert layers[norm].flash_bytes == 0
    assert layers[norm].overlaps and layers[act].overlaps
    assert layers[first].ram_bytes == 3 * 64 + 4 * 64
    assert layers[act].ram_bytes == 4 * 64
    assert not layers[deep].overlaps  # `add` reads its input, too
    assert layers[deep].ram_bytes == 2 * 4 * 64
    assert layers[total].overlaps
    assert layers[pool].overlaps
    assert layers[pool].ram_bytes == 4 * 64 + 4 * 4  # one output row before the input
    assert layers[first].im2col_bytes == 2 * 2 * 27
    assert layers[deep].im2col_bytes == 2 * 4 * 9
    assert (found.ram_bytes, found.ram_node) == (2 * 4 * 64, deep)
    assert (found.im2col_bytes, found.im2col_node) == (108, first)
    assert found.flash_bytes == 108 + 16 + 36 + 16 + 640 + 40


def test_inputs_outputs_and_what_is_read_again_are_not_overwritten() -> None:
    depthwise = {"out": 4, "kernel": 3, "padding": 1, "groups": 4}
    net = Net(x=(4, 8, 8))
    first = net("conv", "x", **depthwise)
    second = net("conv", first, **depthwise)
    net("relu", second)
    found = microcontroller(net.graph(Output("middle", first), "relu3"))
    assert {layer.name: layer.overlaps for layer in found.layers} == {
        "x": False,
        first: False,
        second: False,
        "relu3": True,
    }


def test_a_target_is_counted_on_request_alone() -> None:
    graph = load("lenet5")
    assert analyze(graph).microcontroller is None
    assert analyze(graph).totals.ram_bytes is None
    found = analyze(graph, target="mcu", batch=2)
    assert found.totals.ram_bytes == 2 * ram_of(graph)
    with pytest.raises(OptionError, match="unknown target 'toaster'; there are mcu"):
        analyze(graph, target="toaster")


def test_parts_for_training_are_not_deployed() -> None:
    graph = load("googlenet")
    whole = analyze(graph, target="mcu", training=True).totals
    assert whole.flash_bytes == flash_of(graph.inference())


@given(graphs(), st.integers(1, 3))
def test_ram_is_between_the_largest_map_and_the_peak(graph: Graph, batch: int) -> None:
    graph = fuse(graph)
    largest = max(facts.elements for facts in graph.facts.values())
    assert largest * batch <= ram_of(graph, batch) <= peak_of(graph) * batch


@given(
    size=st.tuples(st.integers(1, 9), st.integers(1, 9)),
    kernel=st.integers(1, 4),
    stride=st.integers(1, 4),
    padding=st.integers(0, 3),
    dilation=st.integers(1, 2),
    multiplier=st.integers(1, 3),
    batch=st.integers(1, 3),
)
def test_no_row_is_overwritten_before_it_is_read(
    size: tuple[int, int],
    kernel: int,
    stride: int,
    padding: int,
    dilation: int,
    multiplier: int,
    batch: int,
) -> None:
    attributes = {"kernel": kernel, "stride": stride, "padding": padding, "dilation": dilation}
    try:
        graph = chain(("conv", {"out": 2 * multiplier, "groups": 2, **attributes}), x=(2, *size))
    except ShapeError:
        assume(False)
    node = graph.nodes[-1]
    both = row_by_row(node, batch)
    assert both is not None
    assert both >= batch * max(prod(node.ins[0]), prod(node.out))
    assert clashes(node, batch, both) == 0
    tight = both > batch * max(prod(node.ins[0]), prod(node.out))
    assert not tight or clashes(node, batch, both - 1) > 0


def clashes(node: Any, batch: int, both: int) -> int:
    """Write all output rows from the start of a buffer whose end is the input; count clobbers."""
    (x,), out, window = node.ins, node.out, node.facts.window[0]
    start = both - batch * prod(x)
    taken, made = x[0] * x[2], out[0] * out[2]
    found, written = 0, 0
    for image in range(batch):
        for row in range(out[1]):
            written = image * prod(out) + (row + 1) * made
            reads = [tap for tap in window.taps(row) if 0 <= tap < x[1]]
            # From its first window row on, nothing may be gone while this row is written.
            first = max(0, row * window.stride - window.before)
            needed = min(reads, default=first)
            if needed < x[1]:
                place = start + image * prod(x) + min(first, needed) * taken
                found += written > place
    return found + (written > both)
