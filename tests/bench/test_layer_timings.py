from __future__ import annotations

from math import inf

import pytest
import torch

from archscope import load
from archscope.analysis.cost import costs, total
from archscope.bench.conditions import Conditions
from archscope.bench.layer_timings import LayerTimings, Stopwatch
from archscope.bench.machine import this_machine
from archscope.bench.prepare import prepare
from archscope.bench.roofline import BOUNDS
from archscope.ir import Graph
from tests.bench.conftest import Clock, roofline_of

TICK = 1e-3


def watched(graph: Graph, fused: bool = False, batch: int = 2) -> LayerTimings:
    conditions = Conditions("cpu", "float32", 1, fused=fused)
    watch = Stopwatch(prepare(graph, batch, conditions), Clock(TICK))
    watch()
    watch()
    return watch.layers(batch, "float32", roofline_of(this_machine("cpu")))


@pytest.mark.parametrize("name", ["siamese", "googlenet", "shufflenet_v2_x1_0"])
def test_every_layer_is_timed_once_for_each_use(name: str) -> None:
    graph = load(name)
    if name != "siamese":
        graph = load(name, input=(3, 64, 64))
    result = watched(graph)
    nodes = [node.name for node in graph.inference().nodes if node.inputs]
    assert [layer.name for layer in result.layers] == nodes
    assert [layer.seconds for layer in result.layers] == pytest.approx([TICK] * len(nodes))


def test_layers_and_what_is_between_make_the_whole() -> None:
    graph = load("siamese")
    result = watched(graph)
    layers = len(result.layers)
    assert result.sum_seconds == pytest.approx(layers * TICK)
    # The clock is looked at twice for each layer and twice for the whole.
    assert result.whole_seconds == pytest.approx((2 * layers + 1) * TICK)
    assert result.between_seconds == pytest.approx(result.whole_seconds - result.sum_seconds)
    assert sum(result.bound_seconds.values()) == pytest.approx(result.sum_seconds)
    assert set(result.bound_seconds) == set(BOUNDS)
    assert result.runs == 2


def test_counts_are_those_of_the_analysis() -> None:
    graph = load("shufflenet_v2_x1_0", input=(3, 64, 64))
    result = watched(graph, batch=3)
    whole = total(costs(graph, 3))
    assert sum(layer.macs for layer in result.layers) == whole.macs
    assert sum(layer.memory_access_bytes for layer in result.layers) == 4 * whole.memory_access
    for layer in result.layers:
        assert layer.gmacs_per_second == pytest.approx(layer.macs / TICK / 1e9)
        assert layer.of_roof == pytest.approx(layer.least_seconds / TICK)


def test_the_slow_runs_do_not_count() -> None:
    graph = load("INPUT 3x8x8 -> CONV 4 -> RELU")
    clock = Clock(TICK)
    watch = Stopwatch(prepare(graph, 1, Conditions("cpu", "float32", 1)), clock)
    for step in (TICK, 50 * TICK, TICK, 90 * TICK, TICK):
        clock.step = step
        watch()
    result = watch.layers(1, "float32", roofline_of(this_machine("cpu")))
    assert [layer.seconds for layer in result.layers] == pytest.approx([TICK, TICK])
    assert result.runs == 3


def test_a_layer_too_fast_for_the_clock_has_rates() -> None:
    watch = Stopwatch(
        prepare(load("INPUT 3x8x8 -> CONV 4 -> RELU"), 1, Conditions("cpu", "float32", 1)),
        Clock(0.0),
    )
    watch()
    result = watch.layers(1, "float32", roofline_of(this_machine("cpu")))
    assert all(0 <= layer.gmacs_per_second < inf and layer.of_roof > 0 for layer in result.layers)


def test_folded_norms_are_no_layers() -> None:
    graph = load("resnet18", input=(3, 32, 32))
    names = {layer.op for layer in watched(graph, fused=True).layers}
    assert "conv" in names
    assert "batchnorm" not in names


def test_the_twin_shares_weights_and_leaves_the_network_alone() -> None:
    prepared = prepare(load("siamese"), 1, Conditions("cpu", "float32", 1))
    watch = Stopwatch(prepared, Clock(TICK))
    for own, theirs in zip(prepared.network.parameters(), watch.twin.parameters(), strict=True):
        assert own is theirs
    assert not any(module._forward_hooks for module in prepared.network.modules())
    with torch.inference_mode():
        torch.testing.assert_close(
            watch.twin(*prepared.inputs), prepared.network(*prepared.inputs), rtol=0, atol=0
        )
