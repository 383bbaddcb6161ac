"""Activation functions and norms that ONNX files write as arithmetic."""

from __future__ import annotations

from math import isclose, prod, sqrt

from msgspec.structs import replace

from archscope.importers.onnx.patterns.dataflow import (
    FLAT,
    Dataflow,
    Replacement,
    fuse,
    in_either_order,
    require,
)
from archscope.importers.onnx.resolved_model import OnnxOperator
from archscope.ops.adaptive_pool import shares

ROUNDING = 1e-6
"""The difference that single precision makes of numbers up to 1."""


def swish(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match x * sigmoid(x), x * hardsigmoid(x) and x * tanh(softplus(x))."""

    def gated(x: str, gate: str) -> Replacement:
        function = flow.match(gate, "Sigmoid", "HardSigmoid", "Tanh")
        if function.kind == "Tanh":
            softplus = flow.match(function.inputs[0], "Softplus")
            operators, kind = [softplus, function, operator], "Mish"
        elif function.kind == "Sigmoid":
            operators, kind = [function, operator], "Swish"
        else:
            operators, kind = [function, operator], "HardSwish"
            attributes = {"alpha": 0.2, "beta": 0.5} | function.attributes
            require(isclose(attributes["alpha"], 1 / 6, rel_tol=1e-5) and attributes["beta"] == 0.5)
        require(operators[0].inputs[0] == x)
        return fuse(operators, kind, (x,))

    return in_either_order(operator.inputs, gated)


def hard_sigmoid(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match relu6(x + 3) / 6."""
    x, relu6 = _relu6_of_x_plus_3(flow, _a_sixth_of(flow, operator))
    return fuse([*relu6, operator], "HardSigmoid", (x,), alpha=1 / 6, beta=0.5)


def hard_swish(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match x * relu6(x + 3) / 6, divided last."""
    product = flow.match(_a_sixth_of(flow, operator), "Mul")

    def gated(x: str, gate: str) -> Replacement:
        of, relu6 = _relu6_of_x_plus_3(flow, gate)
        require(of == x)
        return fuse([*relu6, product, operator], "HardSwish", (x,))

    return in_either_order(product.inputs, gated)


def _a_sixth_of(flow: Dataflow, operator: OnnxOperator) -> str:
    """Return the value that an operator divides by six. Raises NoMatchError."""
    value, number = flow.value_and_number(operator)
    divides = operator.kind == "Div"
    require(bool(number) and (not divides or operator.inputs[0] == value))
    require(isclose(1 / number if divides else number, 1 / 6, rel_tol=1e-5))
    return value


def _relu6_of_x_plus_3(flow: Dataflow, name: str) -> tuple[str, list[OnnxOperator]]:
    """Return x, and the operators that compute relu6(x + 3). Raises NoMatchError."""
    clip = flow.match(name, "Clip")
    plus = flow.match(clip.inputs[0], "Add")
    x, addend = flow.value_and_number(plus)
    require([flow.number(limit) for limit in clip.inputs[1:]] == [0, 6] and addend == 3)
    return x, [plus, clip]


def gelu(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match x * (1 + erf(x / sqrt 2)) / 2, its factors in any order."""
    products, values, factor = [operator], [], 1.0
    for product in products:  # which grows by the products that it multiplies
        for place, name in enumerate(product.inputs):
            number = flow.number(name)
            divisor = product.kind == "Div" and place == 1
            if number is not None:
                factor = factor / number if divisor else factor * number
                continue
            require(not divisor)
            further = flow.find(name, "Mul", "Div")
            if further is not None and (further.kind == "Mul" or flow.number(further.inputs[1])):
                products.append(further)
            else:
                values.append(name)
    require(len(values) == 2 and isclose(factor, 0.5))

    def gated(x: str, gate: str) -> Replacement:
        plus = flow.match(gate, "Add")
        of, addend = flow.value_and_number(plus)
        erf = flow.match(of, "Erf")
        scaled = flow.match(erf.inputs[0], "Div", "Mul")
        value, number = flow.value_and_number(scaled)
        divisor = number if scaled.kind == "Div" else 1 / (number or 1)
        require(addend == 1 and value == x and isclose(divisor, sqrt(2), rel_tol=1e-5))
        return fuse([scaled, erf, plus, *products[::-1]], "Gelu", (x,), approximate="none")

    return in_either_order(values, gated)


def group_norm(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match the group norm that torch's older exporter writes as an instance norm of groups."""
    scaled = flow.match(operator.inputs[0], "Mul")
    merge = flow.match(scaled.inputs[0], "Reshape")
    norm = flow.match(merge.inputs[0], "InstanceNormalization")
    split = flow.match(norm.inputs[0], "Reshape")
    image, groups = flow.shape(split.inputs[0]), flow.shape(split.outputs[0])
    ones, zeros = map(flow.constant, norm.inputs[1:3])
    weight, bias = flow.constant(scaled.inputs[1]), flow.constant(operator.inputs[1])
    require(bool((ones == 1).all()) and not zeros.any())
    require(len(groups) == 3 and groups[0] == image[0] and flow.shape(merge.outputs[0]) == image)
    require(weight.shape == bias.shape == (image[1], *(1 for _ in image[2:])))
    inputs = (
        split.inputs[0],
        flow.derive(scaled.inputs[1], FLAT, weight.reshape(-1)),
        flow.derive(operator.inputs[1], FLAT, bias.reshape(-1)),
    )
    epsilon = norm.attributes.get("epsilon", 1e-5)
    operators = [split, norm, merge, scaled, operator]
    return fuse(operators, "GroupNormalization", inputs, num_groups=groups[1], epsilon=epsilon)


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
    require(centred.inputs[0] == x and ratio.inputs[0] == centred.outputs[0])
    require(axes in ({(rank - 1,)}, {(-1,)}) and flow.number(power.inputs[1]) == 2)
    require(flow.constant(weight).shape == flow.constant(bias).shape == flow.shape(x)[-1:])
    operators = [mean, centred, power, variance, plus, deviation, ratio, scaled, operator]
    return fuse(operators, "LayerNormalization", (x, weight, bias), axis=-1, epsilon=epsilon)


def softmax_of_rows(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Read a softmax of opsets below 13, over all axes from one on, as one over that axis alone."""
    shape = flow.shape(operator.outputs[0])
    axis = operator.attributes.get("axis", 1) % len(shape)
    require(operator.version < 13 and all(size == 1 for size in shape[axis + 1 :]))
    return [operator], [replace(operator, attributes={"axis": axis}, version=13)]


def distance(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match the norm of a difference of two flat descriptions."""
    difference = flow.match(operator.inputs[0], "Sub")
    shapes = [flow.shape(name) for name in difference.inputs]
    require(_axes(flow, operator) == [1] and bool(operator.attributes.get("keepdims", 1)))
    require(shapes[0] == shapes[1] and len(shapes[0]) == 2)
    metric = "euclidean" if operator.kind == "ReduceL2" else "manhattan"
    return fuse([difference, operator], "Distance", difference.inputs, metric=metric)


def maxout(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match the maximum over groups of neighbouring channels."""
    split = flow.match(operator.inputs[0], "Reshape")
    image, groups = flow.shape(split.inputs[0]), flow.shape(split.outputs[0])
    require(_axes(flow, operator) == [2] and not operator.attributes.get("keepdims", 1))
    require(groups == (image[0], groups[1], image[1] // groups[1], *image[2:]))
    return fuse([split, operator], "Maxout", split.inputs[:1], pieces=groups[2])


def pooled_channels(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match the maximum over all channels, or over groups of them, that is written as a pool."""
    pool = flow.match(operator.inputs[0], "MaxPool")
    split = flow.match(pool.inputs[0], "Reshape")
    image, groups = flow.shape(split.inputs[0]), flow.shape(split.outputs[0])
    batch, kept, pieces, positions = groups
    require(pool.attributes == {"kernel_shape": [pieces, 1]} and len(pool.outputs) == 1)
    require(image[:2] == (batch, kept * pieces) and prod(image[2:]) == positions)
    require(flow.shape(operator.outputs[0]) == (batch, kept, *image[2:]))
    old, x = [split, pool, operator], split.inputs[:1]
    if kept == 1:
        return fuse(old, "ReduceMax", x, axes=[1], keepdims=1)
    return fuse(old, "Maxout", x, pieces=pieces)


def adaptive_mean(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match means over windows of unequal sizes that are products with shares along each axis."""
    out, x = flow.shape(operator.outputs[0]), operator.inputs[0]
    matched = [operator]
    products: list[OnnxOperator] = []
    for _ in out[2:]:
        product = flow.match(x, "MatMul")
        split = flow.match(product.inputs[1], "Reshape")
        matched, products, x = [split, product, *matched], [product, *products], split.inputs[0]
    image = flow.shape(x)
    require(bool(products) and len(image) == len(out) and image[:2] == out[:2])
    for product, size, count in zip(products, image[2:], out[2:], strict=True):
        found = flow.constant(product.inputs[0])
        require(found.shape == (count, size))
        require(bool((abs(found - shares(size, count)) < ROUNDING).all()))
    return fuse(matched, "AdaptiveAveragePool", (x,))


def largest(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match the selection of the largest values, with zeros for the rest."""
    zeros, places, values = operator.inputs[:3]
    difference, top = flow.match(zeros, "Sub"), flow.match(places, "TopK")
    x, count = top.inputs[0], flow.number(top.inputs[1])
    axis = operator.attributes.get("axis", 0) % len(flow.shape(x))
    require(difference.inputs == (x, x) and top.outputs == (values, places))
    require(flow.match(values, "TopK") is top and operator.attributes.get("reduction") is None)
    require(top.attributes.get("axis", -1) % len(flow.shape(x)) == axis and count is not None)
    require(bool(top.attributes.get("largest", 1)))
    return fuse([difference, top, operator], "Largest", (x,), axis=axis, k=int(count or 0))


def _axes(flow: Dataflow, operator: OnnxOperator) -> list[int]:
    """Return the axes of a reduction, an input from opset 18 on."""
    axes = operator.attributes.get("axes")
    if axes is None:
        axes = flow.constant(operator.inputs[1]).tolist()
    return sorted(axis % len(flow.shape(operator.inputs[0])) for axis in axes)
