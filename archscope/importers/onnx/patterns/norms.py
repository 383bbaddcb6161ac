"""Norms that ONNX files write out as arithmetic."""

from __future__ import annotations

from archscope.importers.onnx.operators import OnnxOperator
from archscope.importers.onnx.patterns.dataflow import (
    FLAT,
    Dataflow,
    NoMatchError,
    Replacement,
    fuse,
)


def group_norm(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match the group norm that torch's older exporter writes as an instance norm of groups."""
    scaled = flow.match(operator.inputs[0], "Mul")
    merge = flow.match(scaled.inputs[0], "Reshape")
    norm = flow.match(merge.inputs[0], "InstanceNormalization")
    split = flow.match(norm.inputs[0], "Reshape")
    image, groups = flow.shape(split.inputs[0]), flow.shape(split.outputs[0])
    ones, zeros = map(flow.constant, norm.inputs[1:3])
    weight, bias = flow.constant(scaled.inputs[1]), flow.constant(operator.inputs[1])
    if (
        not (ones == 1).all()
        or zeros.any()
        or len(groups) != 3
        or groups[0] != image[0]
        or flow.shape(merge.outputs[0]) != image
        or not weight.shape == bias.shape == (image[1], *(1 for _ in image[2:]))
    ):
        raise NoMatchError
    inputs = (
        split.inputs[0],
        flow.derive(scaled.inputs[1], FLAT, weight.reshape(-1)),
        flow.derive(operator.inputs[1], FLAT, bias.reshape(-1)),
    )
    return fuse(
        [split, norm, merge, scaled, operator],
        "GroupNormalization",
        inputs,
        num_groups=groups[1],
        epsilon=norm.attributes.get("epsilon", 1e-5),
    )


def layer_norm(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match the layer norm of the last axis that opsets below 17 write as arithmetic."""
    scaled = flow.match(operator.inputs[0], "Mul")
    ratio = flow.match(scaled.inputs[0], "Div")
    deviation = flow.match(ratio.inputs[1], "Sqrt")
    plus = flow.match(deviation.inputs[0], "Add")
    added_to, epsilon = flow.value_and_number(plus)
    variance = flow.match(added_to, "ReduceMean")
    power = flow.match(variance.inputs[0], "Pow")
    centred = flow.match(power.inputs[0], "Sub", readers=2)
    mean = flow.match(centred.inputs[1], "ReduceMean")
    x, weight, bias = mean.inputs[0], scaled.inputs[1], operator.inputs[1]
    rank = len(flow.shape(x))
    axes = {tuple(reduced.attributes.get("axes", ())) for reduced in (mean, variance)}
    if (
        centred.inputs[0] != x
        or ratio.inputs[0] != centred.outputs[0]
        or axes not in ({(rank - 1,)}, {(-1,)})
        or flow.number(power.inputs[1]) != 2
        or not all(name in flow.model.constants for name in (weight, bias))
        or not flow.shape(weight) == flow.shape(bias) == flow.shape(x)[-1:]
    ):
        raise NoMatchError
    operators = [mean, centred, power, variance, plus, deviation, ratio, scaled, operator]
    return fuse(operators, "LayerNormalization", (x, weight, bias), axis=-1, epsilon=epsilon)
