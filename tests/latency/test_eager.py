from __future__ import annotations

from typing import Any

import pytest
import torch

from archscope.bench.machine import using_threads
from archscope.ir import Shape
from archscope.language import document, graph, load
from archscope.latency.eager import is_unfolded
from archscope.latency.kernel_kinds import EAGER_GPU, FEATURES, Kind
from archscope.latency.kernels import kernels
from archscope.latency.operator_kernels import piece_of
from archscope.ops.conv import Conv
from tests.nets import chain


@pytest.mark.parametrize(
    ("op", "shape"),
    [
        (Conv(out=64), (64, 56, 56)),
        (Conv(out=64), (64, 14, 14)),
        (Conv(out=64, stride=2), (64, 56, 56)),
        (Conv(out=64, stride=2), (64, 14, 14)),
        (Conv(out=64, kernel=3), (64, 56, 56)),
        (Conv(out=64, kernel=3), (64, 14, 14)),
        (Conv(out=64, kernel=3, dilation=2), (64, 14, 14)),
        (Conv(out=64, kernel=5, stride=2), (64, 14, 14)),
        (Conv(out=64, kernel=(1, 7)), (64, 14, 14)),
        (Conv(out=64, kernel=(4, 7)), (64, 14, 14)),
        (Conv(out=60, groups=3), (60, 28, 28)),
        (Conv(out=60, kernel=3, groups=3), (60, 7, 7)),
        (Conv(out=60, kernel=3, groups=60), (60, 7, 7)),
        (Conv(out=60, groups=60, stride=2), (60, 7, 7)),
        (Conv(out=16, kernel=3), (16, 20)),
        (Conv(out=16, kernel=3), (160, 200)),
        (Conv(out=16), (160, 200)),
    ],
)
def test_torch_unfolds_the_same_convolutions(op: Conv, shape: Shape) -> None:
    sizes = op.onnx_weights(op.out, shape[0] // op.groups, *(w.kernel for w in op.window(shape)))
    rank = len(shape) - 1
    x, weight = torch.empty(1, *shape), torch.empty(sizes[0].shape)
    stride, dilation = (
        [getattr(w, name) for w in op.window(shape)] for name in ("stride", "dilation")
    )
    with using_threads(1), torch.inference_mode():
        backend = torch._C._select_conv_backend(
            x, weight, None, stride, [0] * rank, dilation, False, [0] * rank, op.groups, None
        )
    assert is_unfolded(op, (shape,), op.groups) == ("Slow" in str(backend))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "INPUT 64x56x56 -> CONV 64 1x1 -> BATCHNORM -> RELU",
            ["pointwise", "batch norm", "element-wise"],
        ),
        ("INPUT 64x57x57 -> CONV 64 1x1", ["unaligned pointwise"]),
        ("INPUT 64x7x7 -> CONV 64 1x1", ["pointwise"]),
        ("INPUT 64x1x1 -> CONV 64 1x1", ["single position"]),
        ("INPUT 64x56x56 -> CONV 64 3x3 -> GELU -> SILU", ["dense", "slow function", "function"]),
        ("INPUT 3x32x32 -> CONV 16 3x3 -> POOL", ["unfolded convolution", "max pool"]),
        ("INPUT 3x224x224 -> CONV 16 3x3 -> SOFTMAX", ["stem", "softmax"]),
    ],
)
def test_kinds(text: str, expected: list[str]) -> None:
    assert [kernel.kind for kernel in kernels(load(text), "eager")] == expected


@pytest.mark.parametrize(
    ("op", "words", "shape", "expected"),
    [
        ("conv", {"kernel": 9, "padding": 4, "groups": 64}, (64, 28, 28), "depthwise"),
        ("conv", {"kernel": 11, "padding": 5, "groups": 64}, (64, 28, 28), "reference depthwise"),
        ("conv", {"kernel": (11, 1), "padding": (5, 0), "groups": 64}, (64, 28, 28), "depthwise"),
        ("conv", {"kernel": 3, "padding": 5, "dilation": 5, "groups": 64}, (64, 28, 28),
         "reference depthwise"),
        ("conv", {"kernel": 31, "padding": 15, "groups": 64}, (64, 784), "reference depthwise"),
        ("conv", {"kernel": 31, "padding": 0, "groups": 64}, (64, 784), "depthwise"),
        ("conv", {"kernel": 3, "groups": 64}, (64, 8, 28, 28), "reference depthwise"),
        ("conv", {"kernel": 3}, (64, 8, 28, 28), "volume convolution"),
        ("conv", {"kernel": 3}, (3, 8, 28, 28), "volume convolution"),
        ("upsample", {"scale": 2}, (64, 28, 28), "resize"),
        ("upsample", {"scale": 2, "mode": "linear"}, (64, 28, 28), "resize"),
    ],
)  # fmt: skip
def test_kinds_of_windows(op: str, words: dict[str, Any], shape: Shape, expected: str) -> None:
    more = {"out": 64} if op == "conv" else {}
    graph = chain((op, more | words), x=shape)
    assert [kernel.kind for kernel in kernels(graph, "eager")] == [expected]
    if expected == "resize":
        assert [kernel.kind for kernel in kernels(graph, "onnxruntime")] == [expected]


def test_groups() -> None:
    shapes = ((64, 28, 28),)
    sizes = ((1, 4), (3, 4), (3, 16), (3, 64))
    found = [piece_of(Conv(out=64, kernel=k, groups=g), shapes, "eager") for k, g in sizes]
    assert [piece.kind for piece in found] == [
        "unfolded groups", "grouped", "plain grouped", "depthwise",
    ]  # fmt: skip
    assert found[0].features[FEATURES.index("kernels")] == 4  # a product for each group


@pytest.mark.parametrize(
    ("layer", "side", "kind"),
    [
        ("{conv: {out: 16, kernel: 1}}", 14, Kind.POINTWISE),
        ("{conv: {out: 16, kernel: 1}}", 13, Kind.UNALIGNED),
        ("{conv: {out: 16, kernel: 1, stride: 2}}", 14, Kind.STRIDED),
        ("{conv: {out: 16, kernel: 3}}", 13, Kind.DENSE),
        ("{conv: {out: 8, kernel: 3, groups: 8}}", 13, Kind.DEPTHWISE),
        ("batchnorm", 13, Kind.BATCH_NORM),
        ("sigmoid", 13, Kind.FUNCTION),
    ],
)
def test_on_a_gpu_convolutions_differ_by_alignment(layer: str, side: int, kind: str) -> None:
    text = f"input: [8, {side}, {side}]\nlayers: [{layer}]\n"
    net = graph(document("net.yaml", text=text.encode()))
    (kernel,) = kernels(net, EAGER_GPU)
    assert kernel.kind == kind
