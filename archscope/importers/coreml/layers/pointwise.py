"""Functions number by number."""

from __future__ import annotations

from math import prod

from archscope.errors import DataError
from archscope.importers.coreml import activations
from archscope.importers.coreml.messages import Message
from archscope.importers.coreml.neural_network import NeuralNetwork, layer
from archscope.importers.coreml.writing import kind_of

UNARY = {
    "acos": "Acos", "acosh": "Acosh", "asin": "Asin", "asinh": "Asinh", "atan": "Atan",
    "atanh": "Atanh", "ceil": "Ceil", "cos": "Cos", "cosh": "Cosh", "erf": "Erf",
    "floor": "Floor", "round": "Round", "sign": "Sign", "sin": "Sin", "sinh": "Sinh",
    "tan": "Tan", "tanh": "Tanh", "copy": "Identity",
}  # fmt: skip
"""ONNX's operators of one value, by the kind of layer."""

PAIRS = {
    "addBroadcastable": "Add", "subtractBroadcastable": "Sub", "multiplyBroadcastable": "Mul",
    "divideBroadcastable": "Div", "powBroadcastable": "Pow",
    "maxBroadcastable": "Max", "minBroadcastable": "Min",
}  # fmt: skip
"""ONNX's operators of two values."""

COMPARED = {
    "equal": "Equal", "lessThan": "Less", "lessEqual": "LessOrEqual", "greaterThan": "Greater",
    "greaterEqual": "GreaterOrEqual",
}  # fmt: skip
"""ONNX's comparisons."""

LOGICAL = {"logicalAnd": "And", "logicalOr": "Or", "logicalXor": "Xor"}
"""ONNX's operators of two truths, which are ones and zeros in the file."""

ACTIVATIONS = {
    "ReLU": "Relu", "tanh": "Tanh", "sigmoid": "Sigmoid", "softsign": "Softsign",
    "softplus": "Softplus",
}  # fmt: skip
"""ONNX's operators of activations without settings."""

SLOPES = {"leakyReLU": "LeakyRelu", "thresholdedReLU": "ThresholdedRelu", "ELU": "Elu"}
"""ONNX's operators of activations with one setting."""

SQRT, RSQRT, INVERSE, POWER, EXP, LOG, ABS, THRESHOLD = range(8)


@layer(*UNARY)
def unary(t: NeuralNetwork) -> str:
    """Write a function of one value."""
    return str(t.op(UNARY[t.layer.kind], t.value()))


@layer("activation")
def activation(t: NeuralNetwork) -> str | list[str]:
    """Write an activation."""
    return activated(t, t.value(), t.settings)


def activated(t: NeuralNetwork, x: str, s: Message) -> str:
    """Write the activation that settings describe. Raises DataError for none."""
    for table in (ACTIVATIONS, SLOPES):
        if word := kind_of(s, *table):
            inner = s.message(word)
            alpha = inner.number("alpha") if table is SLOPES else None
            return str(t.op(table[word], x, alpha=alpha))
    word = kind_of(s, "linear", "PReLU", "scaledTanh", "sigmoidHard", "parametricSoftplus")
    inner = s.message(word)
    if word in ("PReLU", "parametricSoftplus"):
        slopes = [_per_channel(t, x, inner, part) for part in ("alpha", "beta") if part in inner]
        if word == "PReLU":
            return str(t.op("PRelu", x, *slopes))
        return str(t.op("Mul", slopes[0], t.op("Softplus", t.op("Mul", x, slopes[1]))))
    alpha, beta = inner.number("alpha"), inner.number("beta")
    if word == "linear":
        return activations.line(t, x, alpha, beta)
    if word == "scaledTanh":
        return activations.scaled_tanh(t, x, alpha, beta)
    if word == "sigmoidHard":
        return str(t.op("HardSigmoid", x, alpha=alpha, beta=beta))
    raise DataError(f"{t.layer} has an activation that is not known")


def _per_channel(t: NeuralNetwork, x: str, of: Message, word: str) -> str:
    """Write a number for each channel, the third of the last axes, or one for all."""
    given = of.message(word)
    count = sum(stop - start for start, stop in given.places("floatValue")) // 4
    count = count or sum(stop - start for start, stop in given.places("float16Value")) // 2
    return t.weight(word, [count, *[1] * t.axes_behind(x)] if count > 1 else [1], of=of)


@layer("clampedReLU")
def clamped(t: NeuralNetwork) -> str:
    """Write a ReLU with a slope and a limit."""
    s = t.settings
    return activations.clamped(t, t.value(), s.number("alpha"), s.number("beta"))


@layer("clip")
def clip(t: NeuralNetwork) -> str:
    """Write limits."""
    x, s = t.value(), t.settings
    return str(t.op("Clip", x, t.number(s.number("minVal"), x), t.number(s.number("maxVal"), x)))


@layer("gelu")
def gelu(t: NeuralNetwork) -> str:
    """Write a Gaussian error linear unit."""
    return activations.gelu(t, t.value(), ("", "tanh", "sigmoid")[t.settings.integer("mode")])


@layer("exp2")
def power_of_two(t: NeuralNetwork) -> str:
    """Write a power of two."""
    x = t.value()
    return str(t.op("Pow", t.number(2, x), x))


@layer("unary")
def function(t: NeuralNetwork) -> str:
    """Write a function of a value that is scaled and shifted before."""
    s = t.settings
    x = t.value()
    scale, shift = s.number("scale", 1), s.number("shift")
    if scale != 1 or shift:
        x = activations.line(t, x, scale, shift)
    kind, epsilon, alpha = s.integer("type"), s.number("epsilon", 1e-6), s.number("alpha")
    if kind == RSQRT:
        return activations.root_inverse(t, x, epsilon)
    if kind == INVERSE:
        return activations.inverse(t, x, epsilon)
    if kind == POWER:
        return str(t.op("Pow", x, t.number(alpha, x)))
    if kind == THRESHOLD:
        return str(t.op("Max", x, t.number(alpha, x)))
    return str(t.op({SQRT: "Sqrt", EXP: "Exp", LOG: "Log", ABS: "Abs"}[kind], x))


@layer("add", "multiply")
def sum_or_product(t: NeuralNetwork) -> str:
    """Write the sum or product of all inputs, or of one and a number."""
    kind = {"add": "Add", "multiply": "Mul"}[t.layer.kind]
    first, *rest = t.alike()
    if not rest:
        return str(t.op(kind, first, t.number(t.settings.number("alpha"), first)))
    for value in rest:
        first = str(t.op(kind, first, value))
    return first


@layer("average", "max", "min")
def of_several(t: NeuralNetwork) -> str:
    """Write the average, largest or smallest of several values."""
    kind = {"average": "Mean", "max": "Max", "min": "Min"}[t.layer.kind]
    return str(t.op(kind, *t.alike()))


@layer(*PAIRS)
def pair(t: NeuralNetwork) -> str:
    """Write a function of two values."""
    return str(t.op(PAIRS[t.layer.kind], *t.alike()))


@layer("floorDivBroadcastable")
def floor_division(t: NeuralNetwork) -> str:
    """Write a division that is rounded down."""
    return str(t.op("Floor", t.op("Div", *t.alike())))


@layer("modBroadcastable")
def modulo(t: NeuralNetwork) -> str:
    """Write a remainder, of the sign of the divisor."""
    x, y = t.alike()
    return str(t.op("Sub", x, t.op("Mul", y, t.op("Floor", t.op("Div", x, y)))))


@layer(*COMPARED, "notEqual")
def comparison(t: NeuralNetwork) -> str:
    """Write a comparison of two values, or of one and a number."""
    first, *rest = t.alike()
    second = rest[0] if rest else t.number(t.settings.number("alpha"), first)
    if t.layer.kind == "notEqual":
        return str(t.op("Not", t.op("Equal", first, second)))
    return str(t.op(COMPARED[t.layer.kind], first, second))


@layer(*LOGICAL)
def logical(t: NeuralNetwork) -> str:
    """Write a function of two truths."""
    return str(t.op(LOGICAL[t.layer.kind], *map(t.truth, t.alike(t.truths))))


@layer("logicalNot")
def logical_not(t: NeuralNetwork) -> str:
    """Write the contrary of a truth."""
    return str(t.op("Not", t.truth(t.truths[0])))


@layer("whereBroadcastable")
def where(t: NeuralNetwork) -> str:
    """Write a choice between two values."""
    cond = t.truths[0]
    _, first, second = t.alike([cond, *t.inputs[1:]])
    return str(t.op("Where", t.truth(cond), first, second))


@layer("scale")
def scale(t: NeuralNetwork) -> str:
    """Write factors, and addends if there are any."""
    s = t.settings
    x = t.value()
    made = t.op("Mul", x, _shaped(t, x, "scale", s.integers("shapeScale")))
    if s.flag("hasBias"):
        made = t.op("Add", made, _shaped(t, x, "bias", s.integers("shapeBias")))
    return str(made)


@layer("bias")
def bias(t: NeuralNetwork) -> str:
    """Write addends."""
    x = t.value()
    return str(t.op("Add", x, _shaped(t, x, "bias", t.settings.integers("shape"))))


def _shaped(t: NeuralNetwork, x: str, word: str, shape: list[int]) -> str:
    """Write weights of the shape of one number, of channels, or of a whole image."""
    if len(shape) == 1 and shape != [1]:
        return t.weight(word, [*shape, *[1] * t.axes_behind(x)])
    if t.axes_behind(x) == 0 and shape[1:] == [1, 1]:
        shape = shape[:1]
    return t.weight(word, shape if prod(shape) > 1 else [1])
