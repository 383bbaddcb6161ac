from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from archscope.exporters.onnx_export import export_onnx
from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph, Op, Output, Shape
from archscope.language import load
from archscope.latency.kernel_kinds import (
    CONVOLUTIONS,
    FEATURES,
    FUSIONS,
    KINDS,
    NONE,
    ONNXRUNTIME,
    PRODUCTS,
    Kind,
)
from archscope.latency.kernels import Kernel, kernels
from archscope.latency.layouts import operators
from archscope.latency.operator_kernels import piece_of
from archscope.ops.activation import ReLU
from archscope.ops.conv import Conv
from archscope.ops.input import Input
from archscope.ops.merge import Add
from archscope.ops.registry import OPS
from tests.nets import chain


def feature(kernel: Kernel, name: str) -> float:
    return kernel.features[FEATURES.index(name)]


def kinds(graph: Graph, fusion: str = "onnxruntime") -> list[str]:
    """Return the kinds of kernels, without those that only change the layout."""
    return [kernel.kind for kernel in kernels(graph, fusion) if kernel.kind != Kind.REORDER]


def test_onnxruntime_joins_norm_sum_and_activation() -> None:
    graph = load("resnet18")
    found = kernels(graph, "onnxruntime")
    # 20 convolutions, the stem's pool, the global pool, the classifier, and a reorder before that.
    assert len(found) == 24
    joined = [len(kernel.nodes) for kernel in found if feature(kernel, "merged")]
    assert len(joined) == 8
    assert set(joined) == {4}  # conv, norm, sum, relu


def test_kernels_keep_all_macs_and_every_node_once() -> None:
    for name in ("shufflenet_v1_g3", "mobilenet_v3_small", "vit_b_16", "crnn"):
        graph = load(name).inference()
        for fusion in FUSIONS:
            found = kernels(graph, fusion)
            nodes = [
                node for kernel in found if kernel.kind != Kind.REORDER for node in kernel.nodes
            ]
            assert len(nodes) == len(set(nodes))
            macs = sum(facts.macs for facts in graph.facts.values())
            assert sum(feature(kernel, "macs") for kernel in found) == macs
            assert fusion != "none" or len(nodes) == sum(bool(n.inputs) for n in graph.nodes)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("CONV 16", ["stem"]),
        ("CONV 16 -> CONV 16 -> CONV 8 1x1", ["stem", "dense", "pointwise"]),
        ("CONV 16 -> BATCHNORM -> RELU -> POOL -> GLOBAL_AVGPOOL -> FLATTEN -> FC 10",
         ["stem", "pool", "reduction", "linear"]),
        ("CONV 16 -> RELU -> RELU", ["stem", "element-wise"]),
        ("CONV 16 -> GELU", ["stem", "function"]),
    ],
)  # fmt: skip
def test_kinds(text: str, expected: list[str]) -> None:
    assert kinds(load(f"INPUT 3x32x32 -> {text}")) == expected


def test_what_has_no_blocks_in_onnxruntime_is_plain() -> None:
    for size, expected in ((3, "plain convolution"), (1, "plain pointwise")):
        assert piece_of(Conv(out=16, kernel=size), ((16, 32),), ONNXRUNTIME).kind == expected
    assert kinds(load("zfnet")).count("response norm") == 2


def test_sums_join_convolutions_of_images_only() -> None:
    builder = GraphBuilder()
    for rank in (1, 2, 3):
        x, a, b, total = (f"{name}{rank}" for name in ("x", "a", "b", "sum"))
        builder.add(x, Input(size=(16, *(8,) * rank)))
        builder.add(a, Conv(out=16), (x,))
        builder.add(b, Conv(out=16), (a,))
        builder.add(total, Add(), (a, b))
    outputs = tuple(Output(f"y{rank}", f"sum{rank}") for rank in (1, 2, 3))
    found = kernels(Graph("sums", tuple(builder.nodes.values()), outputs), "onnxruntime")
    assert [kernel.nodes[0] for kernel in found if feature(kernel, "merged")] == ["b2"]
    assert [kernel.nodes for kernel in found if kernel.kind == "element-wise"] == [
        ("sum1",), ("sum3",),
    ]  # fmt: skip


def test_groups() -> None:
    builder = GraphBuilder()
    builder.add("x", Input(size=(16, 8, 8)))
    builder.add("depthwise", Conv(out=16, kernel=3, groups=16), ("x",))
    builder.add("grouped", Conv(out=32, kernel=3, groups=4), ("depthwise",))
    nodes = tuple(builder.nodes.values())
    graph = Graph("groups", nodes, (Output("y", "grouped"),))
    assert kinds(graph, "none") == ["depthwise", "grouped"]
    assert kinds(graph) == ["depthwise", "plain convolution"]  # of 4 channels to a group


@pytest.mark.parametrize(
    ("op", "words", "shape", "expected"),
    [
        ("dot_product_attention", {"heads": 2}, (12, 9), "attention"),
        ("window_attention", {"heads": 2, "size": 3}, (12, 6, 9), "window attention"),
        (
            "window_attention",
            {"heads": 2, "size": 3, "grid": True, "relative_bias": False},
            (12, 6, 9),
            "window attention",
        ),
        ("gru", {"hidden": 4, "bias": False}, (6, 9), "recurrent"),
    ],
)
@pytest.mark.parametrize("fusion", FUSIONS)
def test_attention_with_a_learned_bias_is_not_recurrent(
    op: str, words: dict[str, Any], shape: Shape, expected: str, fusion: str
) -> None:
    assert kinds(chain((op, words), x=shape), fusion) == [expected]


def test_values_that_others_read_are_written_before_they_are_activated() -> None:
    builder = GraphBuilder()
    builder.add("x", Input(size=(16, 8, 8)))
    builder.add("conv", Conv(out=16), ("x",))
    builder.add("relu", ReLU(), ("conv",))
    builder.add("sum", Add(), ("conv", "relu"))
    nodes = tuple(builder.nodes.values())
    graph = Graph("residual", nodes, (Output("y", "sum"),))
    assert kinds(graph) == ["pointwise", "element-wise", "element-wise"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        # The first convolution reads the image as it is.
        ("CONV 16 -> CONV 20 -> RELU -> GLOBAL_AVGPOOL -> FLATTEN -> FC 4", 1),
        ("CONV 16 -> SILU -> CONV 16 -> GELU -> CONV 16", 0),  # go by element
        ("CONV 16 -> SOFTPLUS -> CONV 16", 2),
        ("CONV 16 -> CHANNEL_SHUFFLE 4 -> CONV 16", 2),
        ("CONV 22 -> CONV 22 3x3 -> CONV 16 -> CONV 16", 2),  # 22 channels have no blocks
    ],
)
def test_layouts_are_changed_around_what_has_no_blocks(text: str, expected: int) -> None:
    found = kernels(load(f"INPUT 3x32x32 -> {text}"), "onnxruntime")
    assert sum(kernel.kind == Kind.REORDER for kernel in found) == expected


@pytest.mark.parametrize(
    "name", ["shufflenet_v2_x0_5", "mobilenet_v3_small", "regnet_y_400mf", "efficientnet_b0"]
)
def test_onnxruntime_reorders_as_often(name: str, tmp_path: Path) -> None:
    ort = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    exported = export_onnx(load(name))
    options = ort.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimized.onnx")
    options.log_severity_level = 4
    ort.InferenceSession(exported.model.content(), options, ["CPUExecutionProvider"])
    nodes = onnx.load(tmp_path / "optimized.onnx").graph.node
    if not any(node.domain.endswith("nchwc") for node in nodes):
        pytest.skip("onnxruntime has no blocks on this processor")
    reorders = sum(node.op_type.startswith("Reorder") for node in nodes)
    found = kernels(exported.graph, "onnxruntime")
    assert sum(kernel.kind == Kind.REORDER for kernel in found) == reorders


def test_what_is_computed_twice_runs_once() -> None:
    builder = GraphBuilder()
    builder.add("x", Input(size=(16, 8, 8)))
    for name in ("a", "b"):
        builder.add(f"relu_{name}", ReLU(), ("x",))
        builder.add(name, Conv(out=16), (f"relu_{name}",))
    builder.add("sum", Add(), ("a", "b"))
    graph = Graph("twice", tuple(builder.nodes.values()), (Output("y", "sum"),))
    assert kinds(graph) == ["element-wise", "pointwise", "pointwise"]
    assert kinds(graph, "none").count("element-wise") == 3


def test_activations_in_a_kernel_cost_but_a_relu() -> None:
    for name, expected in (("RELU", 0), ("RELU6", 16 * 64)):
        graph = load(f"INPUT 3x8x8 -> CONV 16 1x1 -> {name}")
        (kernel,) = kernels(graph, "onnxruntime")
        assert feature(kernel, "activated") == expected


def test_channels_are_padded_to_lanes() -> None:
    (kernel,) = kernels(load("INPUT 20x8x8 -> CONV 10 1x1"), "none")
    assert feature(kernel, "macs") == 20 * 10 * 64
    assert feature(kernel, "macs_by_8") == pytest.approx(24 * 16 * 64)
    assert feature(kernel, "macs_by_16") == pytest.approx(32 * 16 * 64)
    assert feature(kernel, "patches") == 20 * 64


def test_inductor_joins_what_goes_by_element() -> None:
    graph = load("INPUT 3x8x8 -> CONV 4 -> BATCHNORM -> SILU -> CONV 4")
    found = kernels(graph, "inductor")
    assert [kernel.kind for kernel in found] == ["stem", "function", "stem"]


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_every_operator_is_of_some_kind(op: type[Op]) -> None:
    for example in op.examples():
        for fusion in FUSIONS:
            piece = piece_of(example.op, example.ins, fusion)
            assert piece.kind in KINDS
            assert min(piece.features) >= 0


@pytest.mark.parametrize("op", OPS.values(), ids=lambda op: op.name)
def test_kinds_of_products_are_what_the_onnx_form_says(op: type[Op]) -> None:
    for example in op.examples():
        kind = piece_of(example.op, example.ins, NONE).kind
        has_macs = bool(example.op.macs(*example.ins)) and not example.op.is_identity(*example.ins)
        assert (kind in PRODUCTS) == has_macs
        used = operators(example.op.onnx(*example.ins))
        assert (kind == Kind.TRANSPOSED) == (has_macs and "ConvTranspose" in used)
        assert (kind in CONVOLUTIONS) == (has_macs and "Conv" in used)
        assert kind != Kind.LINEAR or not used & {"Conv", "ConvTranspose"}


@pytest.mark.parametrize("fusion", FUSIONS)
@pytest.mark.parametrize(
    ("kind", "words"),
    [("dense", {}), ("grouped", {"groups": 4}), ("depthwise", {"groups": 16, "out": 16})],
)
def test_convolutions_are_of_a_kind_whatever_form_their_weights_have(
    kind: str, words: dict[str, Any], fusion: str
) -> None:
    op = {"out": 32, "kernel": 3, "padding": 1, **words}
    expected = piece_of(OPS["conv"](**op), ((16, 8, 8),), fusion).kind
    assert fusion != NONE or expected == kind
    for name in ("weight_norm_conv", "fixed_conv"):
        assert piece_of(OPS[name](**op), ((16, 8, 8),), fusion).kind == expected
