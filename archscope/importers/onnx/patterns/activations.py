"""Activation functions that ONNX files write out as arithmetic."""

from __future__ import annotations

from math import isclose, sqrt

from archscope.importers.onnx.operators import OnnxOperator
from archscope.importers.onnx.patterns.dataflow import (
    Dataflow,
    NoMatchError,
    Replacement,
    fuse,
    in_either_order,
)


def swish(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match x * sigmoid(x), x * hardsigmoid(x) and x * tanh(softplus(x))."""

    def gated(x: str, gate: str) -> Replacement:
        function = flow.match(gate, "Sigmoid", "HardSigmoid", "Tanh")
        if function.kind == "Tanh":
            softplus = flow.match(function.inputs[0], "Softplus")
            operators, kind = [softplus, function, operator], "Mish"
        elif function.kind == "Sigmoid":
            operators, kind = [function, operator], "Swish"
        elif _has_slope_of_a_sixth(function):
            operators, kind = [function, operator], "HardSwish"
        else:
            raise NoMatchError
        if operators[0].inputs[0] != x:
            raise NoMatchError
        return fuse(operators, kind, (x,))

    return in_either_order(operator.inputs, gated)


def _has_slope_of_a_sixth(hard_sigmoid: OnnxOperator) -> bool:
    attributes = {"alpha": 0.2, "beta": 0.5} | hard_sigmoid.attributes
    return isclose(attributes["alpha"], 1 / 6, rel_tol=1e-5) and attributes["beta"] == 0.5


def hard_sigmoid(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match relu6(x + 3) / 6."""
    x, relu6 = _relu6_of_x_plus_3(flow, _a_sixth_of(flow, operator))
    return fuse([*relu6, operator], "HardSigmoid", (x,), alpha=1 / 6, beta=0.5)


def hard_swish(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match x * relu6(x + 3) / 6, divided last."""
    product = flow.match(_a_sixth_of(flow, operator), "Mul")

    def gated(x: str, gate: str) -> Replacement:
        of, relu6 = _relu6_of_x_plus_3(flow, gate)
        if of != x:
            raise NoMatchError
        return fuse([*relu6, product, operator], "HardSwish", (x,))

    return in_either_order(product.inputs, gated)


def _a_sixth_of(flow: Dataflow, operator: OnnxOperator) -> str:
    """Return the value that an operator divides by six. Raises NoMatchError."""
    value, number = flow.value_and_number(operator)
    divides = operator.kind == "Div"
    if (divides and operator.inputs[0] != value) or not number:
        raise NoMatchError
    if not isclose(1 / number if divides else number, 1 / 6, rel_tol=1e-5):
        raise NoMatchError
    return value


def _relu6_of_x_plus_3(flow: Dataflow, name: str) -> tuple[str, list[OnnxOperator]]:
    """Return x, and the operators that compute relu6(x + 3). Raises NoMatchError."""
    clip = flow.match(name, "Clip")
    plus = flow.match(clip.inputs[0], "Add")
    x, addend = flow.value_and_number(plus)
    if [flow.number(limit) for limit in clip.inputs[1:]] != [0, 6] or addend != 3:
        raise NoMatchError
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
            if divisor:
                raise NoMatchError
            further = flow.find(name, "Mul", "Div")
            if further is not None and (further.kind == "Mul" or flow.number(further.inputs[1])):
                products.append(further)
            else:
                values.append(name)
    if len(values) != 2 or not isclose(factor, 0.5):
        raise NoMatchError

    def gated(x: str, gate: str) -> Replacement:
        plus = flow.match(gate, "Add")
        of, addend = flow.value_and_number(plus)
        erf = flow.match(of, "Erf")
        scaled = flow.match(erf.inputs[0], "Div", "Mul")
        value, number = flow.value_and_number(scaled)
        divisor = number if scaled.kind == "Div" else 1 / (number or 1)
        if addend != 1 or value != x or not isclose(divisor, sqrt(2), rel_tol=1e-5):
            raise NoMatchError
        return fuse([scaled, erf, plus, *products[::-1]], "Gelu", (x,), approximate="none")

    return in_either_order(values, gated)
