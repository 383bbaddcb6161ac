"""Networks in onnxruntime: kernels and their layers, int8, and refusals."""

from __future__ import annotations

import json
import sys
from math import prod
from typing import Any

import pytest

from archscope import load
from archscope.analysis.cost import costs
from archscope.bench import bench
from archscope.bench.onnx_kernels import KernelProfiler, kernel_layers, profile_kernels
from archscope.bench.onnx_layers import memory_access
from archscope.bench.onnx_session import int8_model, open_session, random_feeds
from archscope.bench.roofline import Roofline
from archscope.errors import OptionError, UnavailableError
from archscope.exporters.onnx_export import export_onnx
from archscope.ir import Graph
from archscope.transforms.fuse import fuse
from tests.cli.conftest import Run
from tests.nets import Net

pytest.importorskip("onnxruntime", reason="needs archscope[onnx]")

TINY = "INPUT 3x8x8 -> CONV 4 -> BN -> RELU -> GAP -> FC 5"


def residual() -> Graph:
    net = Net(x=(8, 12, 12))
    one = net("relu", net("conv", "x", name="conv1", out=8, kernel=3, padding=1), name="relu1")
    two = net("conv", one, name="conv2", out=8, kernel=3, padding=1)
    both = net("relu", net("add", two, "x", name="add"), name="relu2")
    mixed = net("channel_shuffle", both, name="mix", groups=2)
    return net.graph(net("linear", net("flatten", mixed, name="flat"), name="last", out=3))


def test_every_layer_is_computed_by_a_kernel() -> None:
    exported = export_onnx(residual())
    times = profile_kernels(exported, batch=2, runs=4)
    by_layers = {kernel.layers: kernel for kernel in times.kernels if kernel.layers}
    assert ("conv1", "relu1") in by_layers
    assert {name for layers in by_layers for name in layers} == {
        node.name for node in exported.graph.nodes if node.inputs
    }
    assert sum(kernel.layers == ("mix",) for kernel in times.kernels) == 3
    assert times.runs >= 2 and times.whole_seconds > 0


@pytest.mark.parametrize(
    ("kernels", "layers"),
    [
        # The fused kernel has the name of its last operator, of its first, or one made of it.
        (["relu1_nchwc", "relu2", "last"], [("conv1", "relu1"), ("conv2", "relu2"), ("last",)]),
        (["conv1_token_3", "conv2", "last"], [("conv1", "relu1"), ("conv2", "relu2"), ("last",)]),
        (["fused relu1", "relu2/QuickGeluFusion/", "ReorderOutput", "last_quant"],
         [("conv1", "relu1"), ("conv2", "relu2"), (), ("last",)]),
        # Nothing tells where a product went whose reader has no kernel either.
        (["relu1", "last"], [("conv1", "relu1"), ("last",)]),
    ],
)  # fmt: skip
def test_layers_of_kernels(kernels: list[str], layers: list[tuple[str, ...]]) -> None:
    net = Net(x=(4, 6, 6))
    value = "x"
    for number in (1, 2):
        conv = net("conv", value, name=f"conv{number}", out=4, kernel=3, padding=1)
        value = net("relu", conv, name=f"relu{number}")
    exported = export_onnx(net.graph(net("conv", value, name="last", out=2)))
    found = kernel_layers(exported, kernels)
    if len(kernels) == 2:
        assert found[0][:2] == layers[0] and found[1][-1:] == layers[1]
    else:
        assert found == layers


def test_values_inside_a_kernel_are_not_moved() -> None:
    graph = residual()
    facts, size = graph.facts, 8 * 12 * 12
    alone = memory_access(graph, ["conv1"], 1)
    assert alone == facts["conv1"].access
    together = memory_access(graph, ["conv2", "add", "relu2"], 3)
    assert together == 3 * 3 * size + facts["conv2"].params  # relu1, x and the result
    last = memory_access(graph, ["last"], 2)
    assert last == 2 * (prod((8, 12, 12)) + 3) + facts["last"].params


def test_bench_times_layers_in_onnxruntime(known_machine: Roofline) -> None:
    graph = load(TINY)
    result = bench(
        [graph], batches=[2], threads=1, per_layer=True, seconds=0, runtime="onnxruntime"
    )
    assert (result.conditions.runtime, result.conditions.fused) == ("onnxruntime", True)
    (network,) = result.networks
    assert network.layers is not None and network.macs == 2 * sum(
        cost.macs for cost in costs(graph).values()
    )
    (conv,) = [layer for layer in network.layers.layers if layer.op.startswith("conv")]
    assert conv.op == "conv + relu" and len(conv.fused) == 1 and conv.kernels == ("Conv",)
    fused = fuse(graph)
    assert sum(layer.macs for layer in network.layers.layers) == 2 * sum(
        facts.macs for facts in fused.facts.values()
    )
    times = network.layers
    assert times.between_seconds == pytest.approx(times.whole_seconds - times.sum_seconds)
    assert times.other_seconds >= 0


def test_int8_runs_kernels_of_int8(known_machine: Roofline) -> None:
    exported = export_onnx(residual())
    content = int8_model(exported.model.content())
    profiler = KernelProfiler(exported, content=content)
    profiler()
    kernels = profiler.times().kernels
    assert "QLinearConv" in {kernel.kind for kernel in kernels}
    assert {"conv1", "conv2", "last"} <= {name for kernel in kernels for name in kernel.layers}
    result = bench([residual()], threads=1, seconds=0, runtime="onnxruntime", dtype="int8")
    assert result.conditions.dtype == "int8"


def test_int8_of_grouped_transposed_convolutions() -> None:
    net = Net(x=(4, 5, 5))
    net("conv_transpose", "x", name="up", out=8, kernel=3, groups=2)
    content = int8_model(export_onnx(net.graph()).model.content())
    session = open_session(content)
    (result,) = session.run(None, random_feeds(session))
    assert result.shape == (1, 8, 11, 11) and result.any()


def test_inputs_are_the_same_every_time() -> None:
    session = open_session(export_onnx(residual()).model.content())
    one, again = random_feeds(session, 3), random_feeds(session, 3)
    assert one["x"].shape == (3, 8, 12, 12) and (one["x"] == again["x"]).all()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"training": True}, "'training' is for torch, not for onnxruntime"),
        ({"channels_last": True}, "'channels last' is for torch"),
        ({"dtype": "int9"}, "no dtype 'int9', did you mean 'int8'"),
        ({"runtime": "torch", "dtype": "int8"}, "no dtype 'int8'"),
        ({"runtime": "onnxruntim"}, "no runtime 'onnxruntim', did you mean 'onnxruntime'"),
        (
            {"runtime": "openvino", "per_layer": True},
            "layers are timed in torch and in onnxruntime",
        ),
    ],
)
def test_what_a_runtime_cannot_is_one_line(words: dict[str, Any], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        bench([load(TINY)], device="cpu", seconds=0, **{"runtime": "onnxruntime", **words})


def test_missing_runtimes_say_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    monkeypatch.setitem(sys.modules, "openvino", None)
    for runtime, words in (("onnxruntime", r"archscope\[onnx\]"), ("openvino", "install openvino")):
        with pytest.raises(UnavailableError, match=words):
            bench([load(TINY)], device="cpu", seconds=0, runtime=runtime)


@pytest.mark.parametrize("dtype", ["float32", "int8"])
def test_openvino_runs_networks_where_it_is_installed(dtype: str) -> None:
    pytest.importorskip("openvino", reason="needs openvino")
    result = bench([load(TINY)], device="cpu", seconds=0, runtime="openvino", dtype=dtype)
    assert result.networks[0].images_per_second > 0


def test_a_model_that_cannot_run_is_one_line() -> None:
    with pytest.raises(UnavailableError, match="onnxruntime cannot run the model: ") as caught:
        open_session(b"no model")
    assert "\n" not in str(caught.value)


def test_command(run: Run, known_machine: Roofline) -> None:
    words = ["--runtime", "onnxruntime", "--threads", "1", "--time", "0s", "--per-layer"]
    result = run("bench", TINY, *words)
    assert result.code == 0 and "fused, onnxruntime" in result.out
    assert "conv + relu" in result.out
    data = json.loads(run("bench", TINY, *words, "--format", "json").out)
    assert data["networks"][0]["layers"]["layers"][0]["kernels"] == ["Conv"]
    refused = run("bench", "guidelines", "--runtime", "onnxruntime")
    assert refused.code == 2 and "'guidelines' runs in torch only" in refused.err
