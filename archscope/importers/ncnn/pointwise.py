"""Element-wise layers of ncnn with a single input."""

from __future__ import annotations

from math import log

from archscope.importers.ncnn.conversion import Conversion, Step, Value
from archscope.importers.ncnn.param_file import ParamLayer

PLAIN = {
    "Sigmoid": "sigmoid", "TanH": "tanh", "Swish": "silu", "BNLL": "softplus",
    "Softplus": "softplus",
}  # fmt: skip
UNARY = {"AbsVal": "abs", "Erf": "erf", "Mish": "mish"}
FUNCTIONS = {
    0: "abs", 2: "floor", 3: "ceil", 4: "square", 5: "sqrt", 6: "rsqrt", 7: "exp", 8: "log",
    9: "sin", 10: "cos", 11: "tan", 14: "atan", 15: "reciprocal", 17: "log10", 18: "round",
    19: "trunc", 20: "sign", 21: "expm1", 22: "sinh", 23: "asinh", 24: "cosh", 27: "log1p",
}  # fmt: skip
"""The functions of UnaryOp that `unary` has."""

NEG, TANH = 1, 16  # other functions of UnaryOp
RELU, LEAKY, CLIP, SIGMOID, MISH, HARDSWISH = 1, 2, 3, 4, 5, 6
"""The activations that are fused into a layer."""

LARGEST = 3.4e38
"""About the limit of single precision: a number beyond it limits nothing."""


def activated(net: Conversion, layer: ParamLayer, value: Value) -> Value:
    """Add the fused activation of a layer and return its value. Raises SpecError."""
    kind = layer.integer(9, 0)
    numbers = [*map(float, layer.params.get(10, [])), 0.0, 0.0]
    if kind == 0:
        return value
    if kind in (RELU, SIGMOID):
        word = "relu" if kind == RELU else "sigmoid"
        return Value(net.part(layer, word, word, [value.node]), value.order)
    if kind == LEAKY:
        return net.chained(layer, value, ("leaky_relu", numbers[0]))
    if kind == CLIP:
        return clipped(net, layer, value, numbers[0], numbers[1])
    if kind == MISH:
        return net.chained(layer, value, ("unary", "mish"))
    if kind == HARDSWISH:
        return hard_of(net, layer, value, numbers[0], numbers[1], product=True)
    raise net.error(layer, f"has the unknown activation {kind}")


def _last(
    net: Conversion, layer: ParamLayer, word: str, inputs: list[str], order: tuple[int, ...],
    **given: float,
) -> Value:  # fmt: skip
    """Add the last operator of a layer, which has the layer's name unless it is fused into it."""
    if layer.kind in ("Clip", "HardSigmoid", "HardSwish"):
        return Value(net.add(layer, word, inputs, **given), order)
    return Value(net.part(layer, word, word, inputs, **given), order)


def clipped(net: Conversion, layer: ParamLayer, value: Value, low: float, high: float) -> Value:
    """Add clipping, which is a ReLU6 from 0 to 6. Raises SpecError if nothing is between."""
    if (low, high) == (0, 6):
        return _last(net, layer, "relu6", [value.node], value.order)
    if low > high:
        raise net.error(layer, f"clips from {low:g} to {high:g}")
    limits = {"min": low} if low > -LARGEST else {}
    limits |= {"max": high} if high < LARGEST else {}
    return _last(net, layer, "clamp", [value.node], value.order, **limits) if limits else value


def hard_of(
    net: Conversion, layer: ParamLayer, value: Value, slope: float, shift: float, product: bool
) -> Value:  # fmt: skip
    """Add a hard sigmoid of any slope, and its product with the value for a hard swish."""
    word = "hardswish" if product else "hardsigmoid"
    if abs(slope - 1 / 6) < 1e-5 and shift == 0.5:
        return _last(net, layer, word, [value.node], value.order)
    line = net.chained(layer, value, ("mul_scalar", slope), ("add_scalar", shift))
    if not product:
        return clipped(net, layer, line, 0, 1)
    gate = net.part(layer, "gate", "clamp", [line.node], min=0, max=1)
    return _last(net, layer, "mul", [value.node, gate], value.order)


def plain(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a function of each number."""
    return [net.mapped(layer, PLAIN[layer.kind])]


def unary(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a function of `unary`."""
    return [net.mapped(layer, "unary", function=UNARY[layer.kind])]


def costed(each: int, net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a function of each number that no operator is."""
    return [Value(net.opaque(layer, each, pointwise=True))]


def unary_op(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the function of a UnaryOp."""
    kind = layer.integer(0, 0)
    if kind in FUNCTIONS:
        return [net.mapped(layer, "unary", function=FUNCTIONS[kind])]
    if kind == NEG:
        return [net.mapped(layer, "mul_scalar", factor=-1)]
    return [net.mapped(layer, "tanh")] if kind == TANH else costed(1, net, layer)


def same(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Return the value itself for each top."""
    return [net.value(layer)] * len(layer.tops)


def dropout(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Return the value itself, times a factor if there is one."""
    factor = layer.number(0, 1)
    return same(net, layer) if factor == 1 else [net.mapped(layer, "mul_scalar", factor=factor)]


def relu(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a ReLU, leaky if it has a slope."""
    slope = layer.number(0, 0)
    return [net.mapped(layer, "leaky_relu", slope=slope) if slope else net.mapped(layer, "relu")]


def clip(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add clipping, which is a ReLU6 from 0 to 6."""
    low, high = layer.number(0, -LARGEST), layer.number(1, LARGEST)
    return [clipped(net, layer, net.value(layer), low, high)]


def gelu(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a GELU, exact or approximated by tanh."""
    return [net.mapped(layer, "gelu", tanh=bool(layer.integer(0, 0)))]


def prelu(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a leaky ReLU with learned slopes, one or as many as there are channels."""
    return [Value(net.add(layer, "prelu", slopes=layer.integer(0, 0)))]


def elu(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add an ELU, or a CELU, which is an ELU of x / alpha times alpha."""
    if layer.kind == "ELU":
        return [net.mapped(layer, "elu", alpha=layer.number(0, 0.1))]
    alpha = layer.number(0, 1)
    if alpha == 1:
        return [net.mapped(layer, "elu")]
    if not alpha:
        raise net.error(layer, "needs an alpha other than 0")
    words = (("mul_scalar", 1 / alpha), ("elu", 1.0), ("mul_scalar", alpha))
    return [net.chained(layer, net.value(layer), *words)]


def selu(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a SELU of the published factors, or one with others as a scaled ELU."""
    alpha, scale = layer.number(0, 1.67326324), layer.number(1, 1.050700987)
    if abs(alpha - 1.67326324) < 1e-6 and abs(scale - 1.050700987) < 1e-6:
        return [net.mapped(layer, "unary", function="selu")]
    return [net.chained(layer, net.value(layer), ("elu", alpha), ("mul_scalar", scale))]


def hard(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a hard sigmoid or swish."""
    slope, shift = layer.number(0, 0.2), layer.number(1, 0.5)
    product = layer.kind == "HardSwish"
    return [hard_of(net, layer, net.value(layer), slope, shift, product)]


def power(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add (shift + x * scale) to a power, its exponential, or its logarithm, of any base."""
    base, scale, shift = layer.number(0, -1), layer.number(1, 1), layer.number(2, 0)
    steps: list[Step] = [("mul_scalar", scale)] * (scale != 1)
    steps += [("add_scalar", shift)] * (shift != 0)
    if layer.kind == "Power":
        exponent = layer.number(0, 1)
        steps += [("pow", exponent)] * (exponent != 1)
    elif base != -1 and (base <= 0 or base == 1):
        return costed(3, net, layer)
    else:
        factor = 1.0 if base == -1 else log(base)
        if layer.kind == "Exp":
            steps += [("mul_scalar", factor)] * (factor != 1) + [("unary", "exp")]
        else:
            steps += [("unary", "log")] + [("mul_scalar", 1 / factor)] * (factor != 1)
    return [net.chained(layer, net.value(layer), *steps)]


def threshold(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add 1 for numbers above a limit, 0 for others."""
    return [net.mapped(layer, "compare", relation="gt", than=layer.number(0, 0))]
