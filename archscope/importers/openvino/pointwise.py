"""Functions number by number."""

from __future__ import annotations

from archscope.errors import DataError
from archscope.importers.openvino.translation import Translation, layer

UNARY = {
    "ReLU": "Relu", "Sigmoid": "Sigmoid", "Tanh": "Tanh", "Exp": "Exp", "Log": "Log",
    "Sqrt": "Sqrt", "Abs": "Abs", "Negative": "Neg", "Erf": "Erf", "Sin": "Sin", "Cos": "Cos",
    "Tan": "Tan", "Asin": "Asin", "Acos": "Acos", "Atan": "Atan", "Sinh": "Sinh", "Cosh": "Cosh",
    "Asinh": "Asinh", "Acosh": "Acosh", "Atanh": "Atanh", "Floor": "Floor", "Ceiling": "Ceil",
    "Sign": "Sign", "HSwish": "HardSwish", "Mish": "Mish", "SoftPlus": "Softplus",
    "SoftSign": "Softsign", "LogicalNot": "Not", "IsNaN": "IsNaN", "IsInf": "IsInf",
}  # fmt: skip
"""ONNX's operators of one value, by the type of layer."""

PAIRS = {
    "Add": "Add", "Subtract": "Sub", "Divide": "Div", "Power": "Pow", "Maximum": "Max",
    "Minimum": "Min", "Mod": "Mod", "FloorMod": "Mod", "Equal": "Equal", "Greater": "Greater",
    "GreaterEqual": "GreaterOrEqual", "Less": "Less", "LessEqual": "LessOrEqual",
    "LogicalAnd": "And", "LogicalOr": "Or", "LogicalXor": "Xor",
}  # fmt: skip
"""ONNX's operators of two values."""


@layer(*UNARY)
def unary(t: Translation) -> str:
    """Write a function of one value."""
    return str(t.op(UNARY[t.layer.kind], t.value_of(0)))


@layer(*PAIRS)
def pair(t: Translation) -> str:
    """Write a function of two values."""
    return str(t.op(PAIRS[t.layer.kind], *_aligned(t)))


@layer("NotEqual")
def not_equal(t: Translation) -> str:
    """Write a comparison."""
    return str(t.op("Not", t.op("Equal", *_aligned(t))))


@layer("SquaredDifference")
def squared_difference(t: Translation) -> str:
    """Write the square of a difference."""
    difference = t.op("Sub", *_aligned(t))
    return str(t.op("Mul", difference, difference))


def _aligned(t: Translation) -> list[str]:
    """Return two values whose axes are aligned at their ends. Raises DataError otherwise."""
    if t.word("auto_broadcast", "numpy") == "pdpd":
        raise DataError(f"line {t.layer.line}: {t.layer} broadcasts as Paddle, which is"
                        " not supported")  # fmt: skip
    return t.inputs


@layer("Clamp")
def clamp(t: Translation) -> str:
    """Write limits."""
    import numpy

    limits = (t.constant(t.number(word), numpy.float32) for word in ("min", "max"))
    return str(t.op("Clip", t.value_of(0), *limits))


@layer("PReLU")
def prelu(t: Translation) -> str:
    """Write a slope for each channel, or a single one that was given or learned."""
    x, slope = t.inputs
    known = t.known(1)
    if known is not None and known.size == 1 and not slope.endswith("weight"):
        return str(t.op("LeakyRelu", x, alpha=float(known.reshape(-1)[0])))
    rank, dims = len(t.dims()), t.dims(1)
    if len(dims) == 1 and rank > 2 and dims != [1]:
        slope = t.reshaped(slope, [-1, *[1] * (rank - 2)])
    return str(t.op("PRelu", x, slope))


@layer("Elu")
def elu(t: Translation) -> str:
    """Write an exponential linear unit."""
    return str(t.op("Elu", t.value_of(0), alpha=t.number("alpha", 1.0)))


@layer("Selu")
def selu(t: Translation) -> str:
    """Write a scaled exponential linear unit."""
    alpha, gamma = (float(t.array(place).reshape(-1)[0]) for place in (1, 2))
    return str(t.op("Selu", t.value_of(0), alpha=alpha, gamma=gamma))


@layer("Gelu")
def gelu(t: Translation) -> str:
    """Write a Gaussian error linear unit."""
    tanh = t.word("approximation_mode", "erf") == "tanh"
    return str(t.op("Gelu", t.value_of(0), approximate="tanh" if tanh else "none"))


@layer("HSigmoid")
def hard_sigmoid_of_3(t: Translation) -> str:
    """Write a hard sigmoid with the slope of MobileNetV3."""
    return str(t.op("HardSigmoid", t.value_of(0), alpha=1 / 6, beta=0.5))


@layer("HardSigmoid")
def hard_sigmoid(t: Translation) -> str:
    """Write a hard sigmoid."""
    alpha, beta = (float(t.array(place).reshape(-1)[0]) for place in (1, 2))
    return str(t.op("HardSigmoid", t.value_of(0), alpha=alpha, beta=beta))


@layer("Swish")
def swish(t: Translation) -> str:
    """Write a value times its sigmoid, which may have a factor inside."""
    x, factor = t.value_of(0), t.known(1)
    if len(t.layer.inputs) > 1 and (factor is None or float(factor.reshape(-1)[0]) != 1):
        return str(t.op("Mul", x, t.op("Sigmoid", t.op("Mul", x, t.value_of(1)))))
    return str(t.op("Mul", x, t.op("Sigmoid", x)))


@layer("Round")
def round_(t: Translation) -> str:
    """Write rounding, of halves to even numbers."""
    if t.word("mode", "half_to_even") != "half_to_even":
        return t.unknown()[0]
    return str(t.op("Round", t.value_of(0)))


@layer("Select")
def select(t: Translation) -> str:
    """Write a choice between two values."""
    return str(t.op("Where", *t.inputs))


@layer("ConvertLike")
def convert_like(t: Translation) -> str:
    """Write a cast to the type of another value."""
    return str(t.op("CastLike", *t.inputs))


@layer("SoftMax", "Softmax")
def softmax(t: Translation) -> str:
    """Write a softmax along an axis."""
    return str(t.op("Softmax", t.value_of(0), axis=t.integer("axis", 1)))


@layer("LogSoftmax")
def log_softmax(t: Translation) -> str:
    """Write the logarithm of a softmax."""
    return str(t.op("LogSoftmax", t.value_of(0), axis=t.integer("axis", 1)))
