"""Functions number by number."""

from __future__ import annotations

from archscope.importers.coreml import activations
from archscope.importers.coreml.program import Program, operation
from archscope.importers.coreml.stored import INDEX

UNARY = {
    "abs": "Abs", "acos": "Acos", "acosh": "Acosh", "asin": "Asin", "asinh": "Asinh",
    "atan": "Atan", "atanh": "Atanh", "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh", "erf": "Erf",
    "exp": "Exp", "floor": "Floor", "logical_not": "Not", "round": "Round", "sign": "Sign",
    "sin": "Sin", "sinh": "Sinh", "sqrt": "Sqrt", "tan": "Tan", "tanh": "Tanh", "relu": "Relu",
    "sigmoid": "Sigmoid", "softplus": "Softplus", "softsign": "Softsign", "identity": "Identity",
}  # fmt: skip
"""ONNX's operators of one value, by the kind of operation."""

PAIRS = {
    "add": "Add", "sub": "Sub", "mul": "Mul", "maximum": "Max", "minimum": "Min", "pow": "Pow",
    "equal": "Equal", "greater": "Greater", "greater_equal": "GreaterOrEqual", "less": "Less",
    "less_equal": "LessOrEqual", "logical_and": "And", "logical_or": "Or", "logical_xor": "Xor",
    "real_div": "Div",
}  # fmt: skip
"""ONNX's operators of two values."""

CASTS = {"fp16": 10, "fp32": 1, "fp64": 11, "bool": 9, "int8": INDEX, "uint8": INDEX,
         "int16": INDEX, "uint16": INDEX, "int32": INDEX, "int64": INDEX}  # fmt: skip
"""ONNX's types, by the names that casts give them."""


@operation(*UNARY)
def unary(t: Program) -> str:
    """Write a function of one value."""
    return str(t.op(UNARY[t.entry.kind], t.value("x")))


@operation(*PAIRS)
def pair(t: Program) -> str:
    """Write a function of two values."""
    return str(t.op(PAIRS[t.entry.kind], t.value("x"), t.value("y")))


@operation("not_equal")
def not_equal(t: Program) -> str:
    """Write a comparison."""
    return str(t.op("Not", t.op("Equal", t.value("x"), t.value("y"))))


@operation("floor_div")
def floor_division(t: Program) -> str:
    """Write a division that is rounded down."""
    x, y = t.value("x"), t.value("y")
    if t.element(x) == INDEX:  # ONNX divides whole numbers to zero
        remainder = t.op("Mod", x, y)
        return str(t.op("Div", t.op("Sub", x, remainder), y))
    return str(t.op("Floor", t.op("Div", x, y)))


@operation("mod")
def modulo(t: Program) -> str:
    """Write a remainder, of the sign of the divisor."""
    x, y = t.value("x"), t.value("y")
    if t.element(x) == INDEX:
        return str(t.op("Mod", x, y))
    return str(t.op("Sub", x, t.op("Mul", y, t.op("Floor", t.op("Div", x, y)))))


@operation("cast")
def cast(t: Program) -> str:
    """Write a cast."""
    to, x = CASTS[t.word("dtype")], t.value("x")
    return x if t.element(x) == to else str(t.op("Cast", x, to=to))


@operation("clip")
def clip(t: Program) -> str:
    """Write limits."""
    x = t.value("x")
    return str(t.op("Clip", x, t.number(t.real("alpha"), x), t.number(t.real("beta"), x)))


@operation("relu6")
def relu6(t: Program) -> str:
    """Write a ReLU with a limit of 6."""
    return activations.clamped(t, t.value("x"), 0, 6)


@operation("clamped_relu")
def clamped(t: Program) -> str:
    """Write a ReLU with a slope and a limit."""
    return activations.clamped(t, t.value("x"), t.real("alpha"), t.real("beta"))


@operation("threshold")
def threshold(t: Program) -> str:
    """Write a lower limit."""
    x = t.value("x")
    return str(t.op("Max", x, t.number(t.real("alpha"), x)))


@operation("thresholded_relu")
def thresholded(t: Program) -> str:
    """Write a ReLU that is zero below a limit."""
    return activations.thresholded(t, t.value("x"), t.real("alpha", 1))


@operation("elu")
def elu(t: Program) -> str:
    """Write an exponential linear unit."""
    return str(t.op("Elu", t.value("x"), alpha=t.real("alpha", 1)))


@operation("leaky_relu")
def leaky(t: Program) -> str:
    """Write a ReLU with a slope."""
    return str(t.op("LeakyRelu", t.value("x"), alpha=t.real("alpha", 0.01)))


@operation("prelu")
def prelu(t: Program) -> str:
    """Write a slope for each channel."""
    return activations.slopes(t, t.value("x"), t.value("alpha"))


@operation("gelu")
def gelu(t: Program) -> str:
    """Write a Gaussian error linear unit."""
    mode = {"EXACT": "", "TANH_APPROXIMATION": "tanh", "SIGMOID_APPROXIMATION": "sigmoid"}
    return activations.gelu(t, t.value("x"), mode[t.word("mode", "EXACT")])


@operation("silu")
def silu(t: Program) -> str:
    """Write a value times its sigmoid."""
    x = t.value("x")
    return str(t.op("Mul", x, t.op("Sigmoid", x)))


@operation("sigmoid_hard")
def hard_sigmoid(t: Program) -> str:
    """Write a hard sigmoid."""
    return str(
        t.op("HardSigmoid", t.value("x"), alpha=t.real("alpha", 0.2), beta=t.real("beta", 0.5))
    )


@operation("linear_activation")
def linear_activation(t: Program) -> str:
    """Write a product and a sum with numbers."""
    return activations.line(t, t.value("x"), t.real("alpha", 1), t.real("beta"))


@operation("scaled_tanh")
def scaled_tanh(t: Program) -> str:
    """Write a hyperbolic tangent with factors."""
    return activations.scaled_tanh(t, t.value("x"), t.real("alpha", 1), t.real("beta", 1))


@operation("softplus_parametric")
def parametric_softplus(t: Program) -> str:
    """Write a softplus with factors."""
    return activations.parametric_softplus(t, t.value("x"), t.value("alpha"), t.value("beta"))


@operation("softmax")
def softmax(t: Program) -> str:
    """Write a softmax along an axis."""
    return str(t.op("Softmax", t.value("x"), axis=t.integer("axis", -1)))


@operation("inverse")
def inverse(t: Program) -> str:
    """Write an inverse."""
    return activations.inverse(t, t.value("x"), t.real("epsilon", 1e-4))


@operation("rsqrt")
def root_inverse(t: Program) -> str:
    """Write the inverse of a root."""
    return activations.root_inverse(t, t.value("x"), t.real("epsilon", 1e-12))


@operation("log")
def logarithm(t: Program) -> str:
    """Write a logarithm."""
    return activations.logarithm(t, t.value("x"), t.real("epsilon", 1e-45))


@operation("exp2")
def power_of_two(t: Program) -> str:
    """Write a power of two."""
    x = t.value("x")
    return str(t.op("Pow", t.number(2, x), x))


@operation("square")
def square(t: Program) -> str:
    """Write a square."""
    x = t.value("x")
    return str(t.op("Mul", x, x))


@operation("select")
def select(t: Program) -> str:
    """Write a choice between two values."""
    return str(t.op("Where", t.value("cond"), t.value("a"), t.value("b")))
