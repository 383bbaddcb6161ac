"""Networks of OpenVINO IR: what each layer computes, and what counts."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archscope
from archscope.errors import ArchscopeError, UnavailableError
from archscope.sources import imported
from tests.importers.openvino.writer import (
    WINDOWS,
    Network,
    Value,
    small_network,
)
from tests.importers.running import Cases, computed, numbers, params, torch_of

pytest.importorskip("onnx", reason="needs archscope[onnx]")


Make = Callable[[Network], Value]
CASES: Cases[Make] = Cases()
"""How a network is written, what it computes, and its params."""
case = CASES.of

W = numbers(6, 8, 3, 3)
G = numbers(4, 3, 2, 3, 3)
D = numbers(8, 5, 4, 4)
C = numbers(8, seed=3)
L = numbers(5, 12)
IMAGE = (1, 8, 12, 12)


@case(432, lambda x: functional.conv2d(x, torch_of(W), padding=1))
def convolution(net: Network) -> Value:
    return net.layer("Convolution", net.x, net.constant(W, "self.stem.weight"),
                     out=(1, 6, 12, 12), **WINDOWS)  # fmt: skip


@case(438, lambda x: functional.conv2d(x, torch_of(W), torch_of(C[:6]), padding=1))
def convolution_with_a_bias(net: Network) -> Value:
    y = convolution(net)
    return net.layer("Add", y, net.constant(C[:6].reshape(1, 6, 1, 1)), out=y[2])


@case(216, lambda x: functional.conv2d(x, torch_of(G.reshape(12, 2, 3, 3)), padding=1, groups=4))
def group_convolution(net: Network) -> Value:
    return net.layer("GroupConvolution", net.x, net.constant(G), out=(1, 12, 12, 12), **WINDOWS)


@case(640, lambda x: functional.conv_transpose2d(x, torch_of(D), None, 2, 1))
def transposed_convolution(net: Network) -> Value:
    return net.layer("ConvolutionBackpropData", net.x, net.constant(D), out=(1, 5, 24, 24),
                     **{**WINDOWS, "strides": (2, 2)})  # fmt: skip


@case(60, lambda x: functional.linear(x, torch_of(L)))
def linear(net: Network) -> Value:
    return net.layer("MatMul", net.x, net.constant(L), out=(1, 8, 12, 5), transpose_a=False,
                     transpose_b=True)  # fmt: skip


@case(0, lambda x: functional.max_pool2d(x, 3, 2, 1, ceil_mode=True))
def max_pool(net: Network) -> Value:
    windows = {**WINDOWS, "strides": (2, 2), "kernel": (3, 3), "rounding_type": "ceil_torch"}
    return net.add("MaxPool", [net.x], [(1, 8, 7, 7), (1, 8, 7, 7)], opset="opset14", **windows)[0]


@case(0, lambda x: functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False))
def average_pool(net: Network) -> Value:
    given = {**WINDOWS, "kernel": (3, 3), "exclude__pad": True, "rounding_type": "floor"}
    return net.layer("AvgPool", net.x, out=IMAGE, **given)


@case(0, lambda x: functional.adaptive_avg_pool2d(x, 5))
def adaptive_average_pool(net: Network) -> Value:
    return net.layer("AdaptiveAvgPool", net.x, net.constant(numpy.array([5, 5])),
                     out=(1, 8, 5, 5), opset="opset8")  # fmt: skip


@case(0, lambda x: x.mean((2, 3)))
def mean(net: Network) -> Value:
    return net.layer("ReduceMean", net.x, net.constant(numpy.array([2, 3])), out=(1, 8),
                     keep_dims=False)  # fmt: skip


@case(0, lambda x: functional.interpolate(x, scale_factor=2, mode="bilinear"))
def resize_by_factors(net: Network) -> Value:
    factors = net.constant(numpy.array([2, 2], numpy.float32))
    return net.layer("Interpolate", net.x, factors, net.constant(numpy.array([2, 3])),
                     out=(1, 8, 24, 24), opset="opset11", mode="linear_onnx",
                     shape_calculation_mode="scales", antialias=False,
                     coordinate_transformation_mode="half_pixel")  # fmt: skip


@case(0, lambda x: functional.interpolate(x, (24, 36)))
def resize_to_a_size(net: Network) -> Value:
    given = (numpy.array([24, 36]), numpy.array([2, 3], numpy.float32), numpy.array([2, 3]))
    return net.layer("Interpolate", net.x, *map(net.constant, given), out=(1, 8, 24, 36),
                     opset="opset4", mode="nearest", shape_calculation_mode="sizes",
                     coordinate_transformation_mode="asymmetric", nearest_mode="floor")  # fmt: skip


@case(0, lambda x: torch.cat((x[:, 5:], x[:, :2]), 1))
def split_and_join(net: Network) -> Value:
    parts = net.add("VariadicSplit", [net.x, net.constant(numpy.array(1)),
                    net.constant(numpy.array([2, 3, -1]))],
                    [(1, 2, 12, 12), (1, 3, 12, 12), (1, 3, 12, 12)])  # fmt: skip
    return net.layer("Concat", parts[2], parts[0], out=(1, 5, 12, 12), axis=1)


@case(0, lambda x: x[:, 2:6, ::2].flatten(1))
def strided_slice(net: Network) -> Value:
    ends = ([0, 2, 0], [0, 6, 5], [1, 1, 2])
    y = net.layer("StridedSlice", net.x, *(net.constant(numpy.array(part)) for part in ends),
                  out=(1, 4, 6, 12), begin_mask=(1, 0, 1), end_mask=(1, 0, 1), new_axis_mask=(),
                  shrink_axis_mask=(), ellipsis_mask=())  # fmt: skip
    return net.layer("Reshape", y, net.constant(numpy.array([0, -1])), out=(1, 288),
                     special_zero=True)  # fmt: skip


@case(0, lambda x: functional.channel_shuffle(x, 2))
def channel_shuffle(net: Network) -> Value:
    return net.layer("ShuffleChannels", net.x, out=IMAGE, axis=1, group=2)


@case(0, lambda x: x.clamp(0, 6) + functional.gelu(x) + x * x.sigmoid() + functional.hardswish(x))
def activations(net: Network) -> Value:
    parts = [
        net.layer("Clamp", net.x, out=IMAGE, min=0, max=6),
        net.layer("Gelu", net.x, out=IMAGE, opset="opset7", approximation_mode="ERF"),
        net.layer("Swish", net.x, out=IMAGE, opset="opset4"),
        net.layer("HSwish", net.x, out=IMAGE, opset="opset4"),
    ]
    y = parts[0]
    for part in parts[1:]:
        y = net.layer("Add", y, part, out=IMAGE)
    return y


@case(8, lambda x: functional.prelu(x, torch_of(C)))
def slopes_of_channels(net: Network) -> Value:
    return net.layer("PReLU", net.x, net.constant(C), out=IMAGE)


@case(0, lambda x: functional.leaky_relu(x, 0.2))
def slope_that_was_given(net: Network) -> Value:
    return net.layer("PReLU", net.x, net.constant(numpy.array([0.2], numpy.float32)), out=IMAGE)


@case(24, lambda x: functional.layer_norm(x, (12,), torch_of(L[0]), torch_of(L[1]), 1e-5))
def layer_norm(net: Network) -> Value:
    y = net.layer("MVN", net.x, net.constant(numpy.array([-1])), out=IMAGE, opset="opset6",
                  eps=1e-5, normalize_variance=True, eps_mode="INSIDE_SQRT")  # fmt: skip
    for kind, row in (("Multiply", L[0]), ("Add", L[1])):
        y = net.layer(kind, y, net.constant(row), out=IMAGE)
    return y


@case(0, lambda x: functional.instance_norm(x, eps=1e-5))
def norm_without_weights(net: Network) -> Value:
    return net.layer("MVN", net.x, net.constant(numpy.array([2, 3])), out=IMAGE, opset="opset6",
                     eps=1e-5, normalize_variance=True, eps_mode="INSIDE_SQRT")  # fmt: skip


@case(16, lambda x: functional.group_norm(x, 4, torch_of(C), torch_of(C + 1), 1e-5))
def group_norm(net: Network) -> Value:
    return net.layer("GroupNormalization", net.x, net.constant(C), net.constant(C + 1), out=IMAGE,
                     opset="opset12", num_groups=4, epsilon=1e-5)  # fmt: skip


@case(16, lambda x: functional.batch_norm(x, torch_of(C), torch_of(C * C + 1), torch_of(C + 2),
                                          torch_of(C), eps=1e-3))  # fmt: skip
def batch_norm(net: Network) -> Value:
    given = (C + 2, C, C, C * C + 1)
    return net.layer("BatchNormInference", net.x, *map(net.constant, given), out=IMAGE,
                     opset="opset5", epsilon=1e-3)  # fmt: skip


@case(0, lambda x: functional.normalize(x, dim=1))
def unit_length(net: Network) -> Value:
    return net.layer("NormalizeL2", net.x, net.constant(numpy.array([1])), out=IMAGE, eps=1e-24,
                     eps_mode="max")  # fmt: skip


@case(0, lambda x: functional.scaled_dot_product_attention(x, x * 2, x))
def attention(net: Network) -> Value:
    key = net.layer("Multiply", net.x, net.constant(numpy.float32(2)), out=IMAGE)
    return net.layer("ScaledDotProductAttention", net.x, key, net.x, out=IMAGE, opset="opset13",
                     causal=False)  # fmt: skip


@case(432, lambda x: functional.conv2d(x, torch_of(W.astype("float16").astype("float32")),
                                       padding=1))  # fmt: skip
def half_precision(net: Network) -> Value:
    weight = net.constant(W.astype(numpy.float16), "self.stem.weight_compressed")
    weight = net.layer("Convert", weight, out=W.shape, destination_type="f32")
    return net.layer("Convolution", net.x, weight, out=(1, 6, 12, 12), **WINDOWS)


BYTES = numpy.random.default_rng(0).integers(0, 256, W.shape, dtype=numpy.uint8)
SCALES = (numpy.abs(C[:6]) / 50).reshape(6, 1, 1, 1)


def real(value: Any) -> Tensor:
    return torch_of(((value.astype(numpy.float32)) - 119) * SCALES)


@case(432, lambda x: functional.conv2d(x, real(BYTES), padding=1))
def bytes_with_a_scale_for_each_channel(net: Network) -> Value:
    weight = net.layer("Convert", net.constant(BYTES), out=W.shape, destination_type="f32")
    zero = net.constant(numpy.full((6, 1, 1, 1), 119, numpy.uint8))
    zero = net.layer("Convert", zero, out=(6, 1, 1, 1), destination_type="f32")
    weight = net.layer("Subtract", weight, zero, out=W.shape)
    weight = net.layer("Multiply", weight, net.constant(SCALES), out=W.shape)
    return net.layer("Convolution", net.x, weight, out=(1, 6, 12, 12), **WINDOWS)


NIBBLES = numpy.random.default_rng(1).integers(0, 16, (5, 3, 4), dtype=numpy.uint8)
STEPS = numpy.abs(numbers(5, 3, 1))


@case(60, lambda x: functional.linear(
    x, torch_of(((NIBBLES.astype(numpy.float32) - 8) * STEPS).reshape(5, 12))))  # fmt: skip
def nibbles_with_a_scale_for_each_group(net: Network) -> Value:
    flat = NIBBLES.reshape(-1)
    content = (flat[::2] | flat[1::2] << 4).tobytes()
    weight = net.packed(content, NIBBLES.shape, "u4")
    weight = net.layer("Convert", weight, out=NIBBLES.shape, destination_type="f32")
    zero = net.packed(b"\x08", (1, 1, 1), "u4")
    zero = net.layer("Convert", zero, out=(1, 1, 1), destination_type="f32")
    weight = net.layer("Subtract", weight, zero, out=NIBBLES.shape)
    weight = net.layer("Multiply", weight, net.constant(STEPS), out=NIBBLES.shape)
    weight = net.layer("Reshape", weight, net.constant(numpy.array([5, 12])), out=(5, 12),
                       special_zero=False)  # fmt: skip
    return net.layer("MatMul", net.x, weight, out=(1, 8, 12, 5), transpose_a=False,
                     transpose_b=True)  # fmt: skip


@case(0, lambda x: torch.fake_quantize_per_tensor_affine(x, 0.02, 100, 0, 255))
def rounding_to_levels(net: Network) -> Value:
    limits = [numpy.array([[[[number]]]], numpy.float32) for number in (-2.0, 3.1, -2.0, 3.1)]
    return net.layer("FakeQuantize", net.x, *map(net.constant, limits), out=IMAGE, levels=256)


@case(0, lambda x: torch.fake_quantize_per_tensor_affine(x, 0.02, 100, 0, 255))
def rounding_through_bytes(net: Network) -> Value:
    limits = [numpy.array(number, numpy.float32) for number in (-2.0, 3.1, 0.0, 255.0)]
    y = net.layer("FakeQuantize", net.x, *map(net.constant, limits), out=IMAGE, levels=256)
    y = net.layer("Convert", y, out=IMAGE, precision="u8", destination_type="u8")
    y = net.layer("Convert", y, out=IMAGE, destination_type="f32")
    y = net.layer("Subtract", y, net.constant(numpy.float32(100)), out=IMAGE)
    return net.layer("Multiply", y, net.constant(numpy.float32(0.02)), out=IMAGE)


@pytest.mark.parametrize("name", CASES)
def test_a_layer_computes_what_torch_computes(name: str, tmp_path: Path) -> None:
    make, reference, expected = CASES[name]
    net = Network(-1, *IMAGE[1:])
    graph, x, ours = computed(net.save(tmp_path, make(net)), *IMAGE)
    torch.testing.assert_close(ours, reference(x), rtol=1e-4, atol=1e-5)
    assert params(graph) == expected


def lstm_of(layer: nn.LSTM, net: Network) -> Value:
    """Write an LSTM of torch, whose gates have another order."""
    order = [1, 0, 2, 3]
    weights = []
    state = layer.state_dict()
    bias = state["bias_ih_l0"] + state["bias_hh_l0"]
    for part in (state["weight_ih_l0"], state["weight_hh_l0"], bias):
        array = part.numpy()
        gates = array.reshape(4, 6, *array.shape[1:])[order]
        weights.append(net.constant(gates.reshape(1, *array.shape)))
    zeros = [net.constant(numpy.zeros((1, 1, 6), numpy.float32)) for _ in range(2)]
    y, *_ = net.add(
        "LSTMSequence", [net.x, *zeros, net.constant(numpy.array([10])), *weights],
        [(1, 1, 10, 6), (1, 1, 6), (1, 1, 6)], opset="opset5", hidden_size=6, direction="forward",
    )  # fmt: skip
    return net.layer("Squeeze", y, net.constant(numpy.array([1])), out=(1, 10, 6))


def test_a_recurrent_layer_has_its_gates_in_another_order(tmp_path: Path) -> None:
    torch.manual_seed(0)
    layer = nn.LSTM(8, 6, batch_first=True)
    net = Network(1, 10, 8)
    graph, x, ours = computed(net.save(tmp_path, lstm_of(layer, net)), 1, 10, 8)
    with torch.no_grad():
        torch.testing.assert_close(ours, layer(x)[0])
    assert params(graph) == 4 * 6 * (8 + 6 + 1)  # one bias for each gate


@pytest.mark.parametrize("version", [10, 11])
def test_nodes_have_the_names_of_modules_and_one_operator_each(
    version: int, tmp_path: Path
) -> None:
    net, y = small_network(Network(-1, 8, 12, 12, version=version))
    graph = imported(str(net.save(tmp_path, y))).graph
    assert [(node.name, node.op.name) for node in graph.nodes] == [
        ("input", "input"), ("stem.conv", "conv"), ("stem.relu", "relu"),
        ("channel_shuffle", "channel_shuffle"), ("reduce_mean", "global_avgpool"),
        ("reshape", "flatten"), ("head", "linear"),
    ]  # fmt: skip


def test_without_its_weights_a_network_is_counted_and_not_built(tmp_path: Path) -> None:
    net, y = small_network()
    path = net.save(tmp_path, y)
    whole = archscope.analyze(imported(str(path)).graph).totals
    path.with_suffix(".bin").unlink()
    found = imported(str(path))
    assert "net.bin is missing" in found.graph.about
    assert archscope.analyze(found.graph).totals == whole
    with pytest.raises(UnavailableError, match=r"net\.xml: its weights are in 'net\.bin', which"):
        found.weights()


def test_what_only_the_weights_tell_is_not_guessed(tmp_path: Path) -> None:
    net = Network(1, 4, 4, 4)
    y = net.layer("Transpose", net.x, net.constant(numpy.array([0, 3, 1, 2])), out=(1, 4, 4, 4))
    path = net.save(tmp_path, y)
    path.with_suffix(".bin").unlink()
    with pytest.raises(UnavailableError, match=r"are in 'net\.bin', which is missing"):
        imported(str(path))


def test_an_unknown_layer_has_its_shape_and_unknown_costs(tmp_path: Path) -> None:
    net = Network(-1, 8, 12, 12)
    y = net.layer("Bucketizing", convolution(net), out=(-1, 3, 5), opset="extension")
    graph = imported(str(net.save(tmp_path, y))).graph
    last = graph.nodes[-1]
    assert (last.op.name, last.out) == ("opaque", (3, 5))
    assert getattr(last.op, "kind", "") == "openvino.Bucketizing"
    assert params(graph) == 432
    assert last.op.unknown


def test_an_input_of_any_size_needs_one(tmp_path: Path) -> None:
    net = Network(-1, 8, -1, -1)
    y = net.layer("Convolution", net.x, net.constant(W), out=(-1, 6, -1, -1), **WINDOWS)
    path = str(net.save(tmp_path, y))
    with pytest.raises(ArchscopeError, match="--input 8xNxN"):
        imported(path)
    assert imported(path, (8, 20, 30)).graph.nodes[-1].out == (6, 20, 30)
    with pytest.raises(ArchscopeError, match="has no input 'other'"):
        imported(path, {"other": (8, 20, 30)})


def test_bytes_are_counted_as_stored(tmp_path: Path) -> None:
    net = Network(*IMAGE)
    y = bytes_with_a_scale_for_each_channel(net)
    graph = imported(str(net.save(tmp_path, y))).graph
    assert archscope.analyze(graph).totals.weight_bytes == 432


def test_openvino_computes_the_same(tmp_path: Path) -> None:
    openvino = pytest.importorskip("openvino", reason="needs openvino")
    net, y = small_network()
    path = net.save(tmp_path, y)
    _, x, ours = computed(path, 2, 8, 12, 12)
    compiled = openvino.Core().compile_model(str(path), "CPU")
    theirs = next(iter(compiled([x.numpy()]).values()))
    numpy.testing.assert_allclose(ours.numpy(), theirs, rtol=1e-4, atol=1e-4)
