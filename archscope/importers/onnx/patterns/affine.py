"""Products and sums with constants: linear layers, biases, and factors per channel."""

from __future__ import annotations

from math import prod

from msgspec.structs import replace

from archscope.importers.onnx.patterns.dataflow import (
    FLAT,
    TRANSPOSED,
    Dataflow,
    Replacement,
    fuse,
    in_either_order,
    require,
)
from archscope.importers.onnx.resolved_model import OnnxOperator


def matmul(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a product with a constant matrix as a linear layer."""
    x, name = operator.inputs
    matrix = flow.constant(name)
    require(matrix.ndim == 2 and x not in flow.model.constants)
    return fuse([operator], "Linear", (x, flow.derive(name, TRANSPOSED, matrix.T)))


def gemm(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a general matrix product with constant weights as a linear layer."""
    attributes = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0} | operator.attributes
    x, weight, *bias = operator.inputs
    matrix = flow.constant(weight)
    require(not attributes["transA"] and attributes["alpha"] == 1 and attributes["beta"] == 1)
    if not attributes["transB"]:
        weight = flow.derive(weight, TRANSPOSED, matrix.T)
    features = flow.shape(weight)[0]
    inputs: tuple[str, ...] = (x, weight)
    if bias and bias[0]:
        addend = flow.constant(bias[0])
        require(addend.size == features and addend.shape[-1:] == (features,))
        flat = bias[0] if addend.ndim == 1 else flow.derive(bias[0], FLAT, addend.reshape(-1))
        inputs += (flat,)
    return fuse([operator], "Linear", inputs)


def linear_bias(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a linear layer and the bias that is added to it."""

    def added(value: str, bias: str) -> Replacement:
        linear = flow.match(value, "Linear")
        addend = flow.constant(bias)
        features = flow.shape(linear.inputs[1])[:1]
        require(len(linear.inputs) == 2 and addend.shape[-1:] == (addend.size,) == features)
        require(flow.shape(value) == flow.shape(operator.outputs[0]))
        flat = bias if addend.ndim == 1 else flow.derive(bias, FLAT, addend.reshape(-1))
        biased = replace(linear, inputs=(*linear.inputs, flat), outputs=operator.outputs)
        return [linear, operator], [biased]

    return in_either_order(operator.inputs, added)


def linear_of_merged(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a linear layer between reshapes that merge leading axes and part them again."""
    linear = flow.match(operator.inputs[0], "Linear")
    merge = flow.match(linear.inputs[0], "Reshape", "Flatten")
    shape, out = flow.shape(merge.inputs[0]), flow.shape(operator.outputs[0])
    rows, features = flow.shape(linear.inputs[0])
    leading = out[:-1]
    require(len(leading) > 1 and shape[: len(leading)] == leading and prod(leading) == rows)
    require(out[-1] == flow.shape(linear.outputs[0])[-1])
    apart = f"{linear.inputs[0]}/apart"
    flow.model.shapes[apart] = (*leading, features)
    first = replace(merge, kind="Reshape", inputs=merge.inputs[:1], outputs=(apart,), attributes={})
    inputs = (apart, *linear.inputs[1:])
    return [merge, linear, operator], [
        first,
        replace(linear, inputs=inputs, outputs=operator.outputs),
    ]


def conv_bias(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a convolution and the bias that is added to it, as TensorFlow writes it."""

    def added(value: str, bias: str) -> Replacement:
        conv = flow.match(value, "Conv", "ConvTranspose")
        require(not any(conv.inputs[2:]))
        require(flow.shape(value) == flow.shape(operator.outputs[0]))
        flat = flow.per_channel(bias, flow.shape(value))
        biased = replace(conv, inputs=(*conv.inputs[:2], flat), outputs=operator.outputs)
        return [conv, operator], [biased]

    return in_either_order(operator.inputs, added)


def zero_bias(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Drop the zeros that torch's exporter computes for a convolution without a bias."""
    bias = operator.inputs[2]
    sources = flow.model.sources.get(bias, frozenset())
    require(not sources & flow.model.initializers and not flow.constant(bias).any())
    return [operator], [replace(operator, inputs=operator.inputs[:2])]


def channel_scale(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a product with a constant factor per channel."""
    shape = flow.shape(operator.outputs[0])

    def multiplied(x: str, factor: str) -> Replacement:
        require(x not in flow.model.constants and flow.shape(x) == shape)
        require(flow.number(factor) is None)
        return fuse([operator], "Scale", (x, flow.per_channel(factor, shape)))

    return in_either_order(operator.inputs, multiplied)


def channel_shift(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a constant that is added to each channel after its factor."""

    def added(value: str, addend: str) -> Replacement:
        scaled = flow.match(value, "Scale")
        require(len(scaled.inputs) == 2)
        flat = flow.per_channel(addend, flow.shape(operator.outputs[0]))
        return fuse([scaled, operator], "Scale", (*scaled.inputs, flat))

    return in_either_order(operator.inputs, added)


def prelu_slopes(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Flatten the slopes of a PReLU."""
    x, slopes = operator.inputs
    require(flow.shape(slopes) != (1,) and not slopes.endswith(FLAT))
    value = flow.constant(slopes)
    if value.size == 1:
        flat = flow.derive(slopes, FLAT, value.reshape(-1))
    else:
        flat = flow.per_channel(slopes, flow.shape(x))
    return fuse([operator], "PRelu", (x, flat))
