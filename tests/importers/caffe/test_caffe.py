"""Definitions of Caffe: published counts, both generations, phases, and its own rules."""

from __future__ import annotations

from math import ceil
from pathlib import Path

import pytest
import torch

import archscope
from archscope.build import build
from archscope.errors import ArchscopeError
from tests.importers.caffe.definitions import conv, inputs, layer, load
from tests.importers.files import CAFFE


def squeezenet() -> str:
    text = inputs(10, 3, 227, 227) + conv("conv1", "data", 64, 3, "stride: 2")
    pool = "pooling_param { pool: MAX kernel_size: 3 stride: 2 }"
    text += layer("Pooling", "pool1", "conv1", pool)
    last = "pool1"
    for number, (thin, wide) in enumerate(
        [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)], 2
    ):
        name = f"fire{number}"
        text += conv(f"{name}/squeeze", last, thin, 1)
        text += conv(f"{name}/one", f"{name}/squeeze", wide, 1)
        text += conv(f"{name}/three", f"{name}/squeeze", wide, 3, "pad: 1")
        text += layer("Concat", f"{name}/concat", f"{name}/one {name}/three")
        last = f"{name}/concat"
        if number in (3, 5):
            text += layer("Pooling", f"pool{number}", last, pool)
            last = f"pool{number}"
    text += layer("Dropout", "drop9", last, top=last) + conv("conv10", last, 1000, 1)
    text += layer("Pooling", "pool10", "conv10", "pooling_param { pool: AVE global_pooling: true }")
    return text + layer("Softmax", "prob", "pool10")


def test_squeezenet(tmp_path: Path) -> None:
    totals = archscope.analyze(load(tmp_path, squeezenet())).totals
    assert (totals.params, totals.macs) == (1_235_496, 387_747_520)


@pytest.mark.parametrize("kind", ["MAX", "AVE"])
@pytest.mark.parametrize("side", [5, 6, 7, 8])
@pytest.mark.parametrize(("kernel", "stride", "pad"), [
    (2, 2, 0), (3, 2, 0), (3, 2, 1), (3, 1, 1), (2, 3, 1), (1, 2, 0), (5, 3, 2), (2, 2, 1),
])  # fmt: skip
def test_pooling_rounds_up_as_caffe_does(
    kind: str, side: int, kernel: int, stride: int, pad: int, tmp_path: Path
) -> None:
    sizes = f"pool: {kind} kernel_size: {kernel} stride: {stride} pad: {pad}"
    text = inputs(1, 1, side, side) + layer("Pooling", "pool", more=f"pooling_param {{ {sizes} }}")
    graph = load(tmp_path, text)
    # PoolingLayer::Reshape and Forward_cpu of Caffe
    out = ceil((side + 2 * pad - kernel) / stride) + 1
    if pad and (out - 1) * stride >= side + pad:
        out -= 1
    assert graph.nodes[-1].out == (1, out, out)
    if graph.nodes[-1].op.unknown:
        assert not pad
        assert kernel < stride  # a window without a number, which torch does not have
        return
    x = torch.randn(1, 1, side, side)
    wanted = torch.zeros(1, 1, out, out)
    for row in range(out):
        for column in range(out):
            top, left = row * stride - pad, column * stride - pad
            bottom, right = (min(start + kernel, side + pad) for start in (top, left))
            size = (bottom - top) * (right - left)
            seen = x[0, 0, max(top, 0) : min(bottom, side), max(left, 0) : min(right, side)]
            wanted[0, 0, row, column] = seen.max() if kind == "MAX" else seen.sum() / size
    assert torch.allclose(build(graph).eval()(x), wanted, atol=1e-6)


def test_both_generations_are_one_network(tmp_path: Path) -> None:
    new = load(tmp_path, inputs(1, 3, 16, 16) + conv("a", "data", 4, 3) + layer(
        "InnerProduct", "fc", "a", "inner_product_param { num_output: 2 }"))  # fmt: skip
    old = load(tmp_path, """
        input: "data" input_dim: 1 input_dim: 3 input_dim: 16 input_dim: 16
        layers { name: "a" type: CONVOLUTION bottom: "data" top: "a" blobs_lr: 1 blobs_lr: 2
                 convolution_param { num_output: 4 kernel_size: 3 } }
        layers { name: "a_relu" type: RELU bottom: "a" top: "a" }
        layers { name: "fc" type: INNER_PRODUCT bottom: "a" top: "fc"
                 inner_product_param { num_output: 2 } }
        layers { name: "loss" type: SOFTMAX_LOSS bottom: "fc" bottom: "fc" include: {phase: TRAIN} }
    """)  # fmt: skip
    assert [(n.name, n.op, n.inputs) for n in old.nodes] == [
        (n.name, n.op, n.inputs) for n in new.nodes
    ]


def test_phases_and_data(tmp_path: Path) -> None:
    data = "data_param { batch_size: 8 } transform_param { crop_size: 24 }"
    text = (
        layer("Data", "data", "", f"include {{ phase: TRAIN }} {data}", "data label")
        + layer("Data", "data", "", f"include {{ phase: TEST }} {data}".replace("24", "20"),
                "data label")
        + conv("a", "data", 4, 3)
        + layer("Dropout", "drop", "a", "exclude { phase: TEST }", "a")
        + layer("Convolution", "extra", "a", "include { phase: TRAIN }"
                " convolution_param { num_output: 9 kernel_size: 1 }")
        + layer("SoftmaxWithLoss", "loss", "a label")
        + layer("Accuracy", "accuracy", "a label", "include { phase: TEST stage: 'never' }")
    )  # fmt: skip
    graph = load(tmp_path, text)
    assert [node.name for node in graph.nodes] == ["data", "a", "a_relu"]
    assert graph.nodes[0].out == (3, 20, 20)
    assert graph.about == (
        "'data' is assumed to have images with 3 channels; not counted: loss (SoftmaxWithLoss)"
    )
    assert load(tmp_path, text, (1, 30, 30)).nodes[1].facts.params == 4 * 9 + 4
    only = load(tmp_path, text.replace("phase: TEST } data", "phase: TRAIN } data"))
    assert "extra" in only.by_name
    assert "read for training" in only.about


def test_batch_norms_take_their_scale_in(tmp_path: Path) -> None:
    norm = layer("BatchNorm", "bn", "a", "batch_norm_param { eps: 0.001 }", "b")
    scale = layer("Scale", "scale", "b", "scale_param { bias_term: true }", "c")
    text = inputs(1, 3, 8, 8) + conv("a", "data", 4, 3, "bias_term: false") + norm + scale
    graph = load(tmp_path, text)
    assert graph.nodes[-1].name == "bn"
    assert graph.nodes[-1].facts.params == 8
    assert build(graph).state_dict()["bn.weight"].shape == (4,)
    # what Scale does not see alone, it does not become part of
    graph = load(tmp_path, text + layer("Eltwise", "sum", "b c"))
    assert [node.facts.params for node in graph.nodes[-3:]] == [0, 8, 0]


def test_gates_shares_and_factors(tmp_path: Path) -> None:
    shared = 'param { name: "w" } param { name: "b" } convolution_param { num_output: 4 '
    text = (
        'input: "left" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8\n'
        'input: "right" input_dim: 2 input_dim: 3 input_dim: 8 input_dim: 8\n'
        + layer("Convolution", "a", "left", shared + "kernel_size: 3 }")
        + layer("Convolution", "b", "right", shared + "kernel_size: 3 }")
        + layer("Eltwise", "difference", "a b", "eltwise_param { operation: SUM coeff: 1 coeff:-1}")
        + layer("Pooling", "pool", "b", "pooling_param { pool: AVE global_pooling: true }")
        + layer("Flatten", "flat", "pool")
        + layer("Scale", "gate", "a flat", "scale_param { axis: 0 }")
        + layer("Eltwise", "product", "gate difference", "eltwise_param { operation: PROD }")
        + layer("Power", "half", "product", "power_param { scale: 0.5 }")
    )
    graph = load(tmp_path, text)
    assert archscope.analyze(graph).totals.params == 4 * 3 * 9 + 4
    network = build(graph).eval()
    left, right = torch.randn(2, 1, 3, 8, 8).unbind(0)
    a, b = (network.a(x) for x in (left, right))  # type: ignore[operator]
    wanted = 0.5 * a * b.mean((2, 3), keepdim=True) * (a - b)
    assert torch.allclose(network(left, right), wanted, atol=1e-6)


def test_depthwise_and_transposed(tmp_path: Path) -> None:
    text = inputs(1, 6, 9, 9) + layer("DepthwiseConvolution", "a", more=(
        "convolution_param { num_output: 6 kernel_size: 3 dilation: 2 pad: 2 }"))  # fmt: skip
    sizes = "num_output: 4 kernel_size: 4 stride: 2 pad: 1 group: 2"
    text += layer("Deconvolution", "b", "a", f"convolution_param {{ {sizes} }}")
    graph = load(tmp_path, text)
    assert graph.nodes[1].facts.params == 6 * 9 + 6
    assert graph.nodes[2].out == (4, 18, 18)
    assert graph.nodes[2].facts.params == 6 * 2 * 16 + 4


def test_heads_and_unknown_layers_are_listed(tmp_path: Path) -> None:
    text = inputs(1, 3, 8, 8) + conv("a", "data", 4, 3)
    text += layer("Permute", "turned", "a", "permute_param { order: 0 order: 2 order: 3 order: 1 }")
    text += layer("Flatten", "flat", "turned") + layer("PriorBox", "prior", "a data")
    text += layer("DetectionOutput", "detected", "flat flat prior")
    graph = load(tmp_path, text)
    assert graph.about == "not counted: detected (DetectionOutput)"
    assert graph.nodes[-1].out == (4 * 6 * 6,)
    analysis = archscope.analyze(graph)
    assert analysis.totals.macs == 4 * 27 * 36
    text = inputs(1, 3, 8, 8) + conv("a", "data", 4, 3) + layer("Recommendation", "rois", "a")
    graph = load(tmp_path, text + conv("b", "rois", 4, 1))
    assert "not counted after unknown layers: b (Convolution)" in graph.about
    assert "macs" in graph.nodes[-1].op.unknown  # so that the total is a lower bound


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (CAFFE.replace('bottom: "a"', 'bottom: "z"'), "reads 'z', which no layer produces"),
        (
            CAFFE.replace('bottom: "a"', 'bottom: "prob"'),
            "'prob', which only a later layer produces",
        ),
        (CAFFE.replace("group: 2", "group: 3"), r"net\.prototxt:\d+:1: 'conv' with groups 3"),
        (CAFFE.replace("pool: MAX", "pool: MIN"), "'pool' must be one of MAX, AVE, STOCHASTIC"),
        (CAFFE.replace("bias_term: false", "bias_term: no"), "'bias_term' must be true or false"),
        (CAFFE.replace("num_output: 8", "num_output: {}"), "whole number, got a message"),
        (CAFFE.replace('type: "Slice"', 'type: "Slice" axis'), "expected ':' or '{' after 'axis'"),
        ("layer { " * 100, "nested deeper than the limit of 64"),
        (inputs(1, 3, 8, 8), "has no 'layer'"),
        (layer("Convolution", "a"), "reads 'data', which no layer produces"),
        (
            layer("Data", "data", "") + conv("a", "data", 1, 1),
            "does not state the size of its input",
        ),
        ("net: 'train.prototxt' max_iter: 9", "a solver of Caffe, .* in 'train.prototxt'"),
        ("layers { layer { name: 'a' type: 'conv' } }", "the oldest format of layers"),
    ],
)
def test_errors(text: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(ArchscopeError, match=said):
        load(tmp_path, text)


def test_a_solver_may_hold_its_network(tmp_path: Path) -> None:
    within = load(tmp_path, f"max_iter: 9 net_param {{ {CAFFE} }}").nodes
    alone = load(tmp_path, CAFFE).nodes
    assert [(node.name, node.op) for node in within] == [(node.name, node.op) for node in alone]
