"""Products and sums with constants: linear layers, biases, and factors of each channel."""

from __future__ import annotations

from msgspec.structs import replace

from archscope.importers.onnx.operators import OnnxOperator
from archscope.importers.onnx.patterns.dataflow import (
    FLAT,
    TRANSPOSED,
    Dataflow,
    NoMatchError,
    Replacement,
    fuse,
    in_either_order,
)


def matmul(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Write a product with a constant matrix as a linear layer."""
    x, name = operator.inputs
    matrix = flow.constant(name)
    if matrix.ndim != 2 or x in flow.model.constants:
        raise NoMatchError
    return fuse([operator], "Linear", (x, flow.derive(name, TRANSPOSED, matrix.T)))


def gemm(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Write a general matrix product with constant weights as a linear layer."""
    defaults = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0}
    attributes = defaults | operator.attributes
    x, weight, *bias = operator.inputs
    matrix = flow.constant(weight)
    if attributes["transA"] or attributes["alpha"] != 1 or attributes["beta"] != 1:
        raise NoMatchError
    if not attributes["transB"]:
        weight = flow.derive(weight, TRANSPOSED, matrix.T)
    features = flow.shape(weight)[0]
    inputs: tuple[str, ...] = (x, weight)
    if bias and bias[0]:
        addend = flow.constant(bias[0])
        if addend.size != features or addend.shape[-1:] != (features,):
            raise NoMatchError
        flat = bias[0] if addend.ndim == 1 else flow.derive(bias[0], FLAT, addend.reshape(-1))
        inputs += (flat,)
    return fuse([operator], "Linear", inputs)


def linear_bias(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a linear layer and the bias that is added to it."""

    def added(value: str, bias: str) -> Replacement:
        linear = flow.match(value, "Linear")
        shape = flow.constant(bias).shape
        if len(linear.inputs) > 2 or shape != flow.shape(linear.inputs[1])[:1]:
            raise NoMatchError
        biased = replace(linear, inputs=(*linear.inputs, bias), outputs=operator.outputs)
        return [linear, operator], [biased]

    return in_either_order(operator.inputs, added)


def conv_bias(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a convolution and the bias that is added to it, as TensorFlow writes it."""

    def added(value: str, bias: str) -> Replacement:
        conv = flow.match(value, "Conv", "ConvTranspose")
        flat = None if any(conv.inputs[2:]) else flow.per_channel(bias, flow.shape(value))
        if flat is None or flow.shape(value) != flow.shape(operator.outputs[0]):
            raise NoMatchError
        biased = replace(conv, inputs=(*conv.inputs[:2], flat), outputs=operator.outputs)
        return [conv, operator], [biased]

    return in_either_order(operator.inputs, added)


def zero_bias(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Drop the zeros that torch's exporter computes for a convolution without a bias."""
    bias = operator.inputs[2]
    if flow.model.sources.get(bias) or flow.constant(bias).any():
        raise NoMatchError
    return [operator], [replace(operator, inputs=operator.inputs[:2])]


def channel_scale(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a product with a constant factor for each channel."""
    shape = flow.shape(operator.outputs[0])

    def multiplied(x: str, factor: str) -> Replacement:
        if x in flow.model.constants or flow.number(factor) is not None or flow.shape(x) != shape:
            raise NoMatchError
        flat = flow.per_channel(factor, shape)
        if flat is None:
            raise NoMatchError
        return fuse([operator], "Scale", (x, flat))

    return in_either_order(operator.inputs, multiplied)


def channel_shift(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match the constant that is added to each channel behind its factor."""

    def added(value: str, addend: str) -> Replacement:
        scaled = flow.match(value, "Scale")
        flat = flow.per_channel(addend, flow.shape(operator.outputs[0]))
        if len(scaled.inputs) != 2 or flat is None:
            raise NoMatchError
        return fuse([scaled, operator], "Scale", (*scaled.inputs, flat))

    return in_either_order(operator.inputs, added)


def prelu_slopes(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Flatten the slopes of a PReLU."""
    x, slopes = operator.inputs
    if flow.shape(slopes) == (1,) or slopes.endswith(FLAT):
        raise NoMatchError
    value = flow.constant(slopes)
    if value.size == 1:
        flat: str | None = flow.derive(slopes, FLAT, value.reshape(-1))
    else:
        flat = flow.per_channel(slopes, flow.shape(x))
    if flat is None:
        raise NoMatchError
    return fuse([operator], "PRelu", (x, flat))
