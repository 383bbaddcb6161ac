"""Functions of one value and of several, number by number."""

from __future__ import annotations

from math import prod

from archscope.importers.onnx.forms.applied import Applied, Steps, form, last, single
from archscope.ir import Shape
from archscope.ops.foreign import Foreign, Tensor

FLOATS = frozenset({1, 10, 11, 16})
"""ONNX's numbers of the types float32, float16, float64 and bfloat16."""

INTEGERS = frozenset({2, 3, 4, 5, 6, 7, 12, 13})
"""ONNX's numbers of the types of integers."""

BOOL = 9
"""ONNX's number of the type of truth values."""

UNARY = {
    "Relu": "relu", "Sigmoid": "sigmoid", "Tanh": "tanh", "Exp": "exp", "Log": "log",
    "Sqrt": "sqrt", "Neg": "neg", "Abs": "abs", "Erf": "erf", "Sin": "sin", "Cos": "cos",
    "Reciprocal": "reciprocal", "Floor": "floor", "Ceil": "ceil", "Round": "round", "Sign": "sign",
    "Softplus": "softplus", "HardSwish": "hardswish", "Mish": "mish", "Not": "logical_not",
    "Tan": "tan", "Atan": "atan", "Asin": "asin", "Acos": "acos", "Sinh": "sinh", "Cosh": "cosh",
    "Asinh": "asinh", "Acosh": "acosh", "Atanh": "atanh",
}  # fmt: skip
"""Functions of one value without attributes."""

PAIRS = {
    "Add": "add.Tensor", "Sub": "sub.Tensor", "Mul": "mul.Tensor",
    "And": "logical_and.default", "Or": "logical_or.default", "Xor": "ne.Tensor",
    "Equal": "eq.Tensor", "Greater": "gt.Tensor", "Less": "lt.Tensor",
    "GreaterOrEqual": "ge.Tensor", "LessOrEqual": "le.Tensor",
}  # fmt: skip
"""Functions of two values."""


def times(x: Tensor, factor: float, shape: Shape) -> Foreign:
    """Return the product with a number."""
    return Foreign("aten.mul.Scalar", {"self": x, "other": factor}, shape)


@form(*UNARY)
def _unary(applied: Applied) -> Steps:
    words = {"beta": 1, "threshold": 20} if applied.operator.kind == "Softplus" else {}
    return single(applied, f"{UNARY[applied.operator.kind]}.default", self=applied.x, **words)


@form("Identity", "Dropout")
def _same(applied: Applied) -> Steps:
    return () if applied.place else single(applied, "alias.default", self=applied.x)


@form("Cast")
def _cast(applied: Applied) -> Steps:
    """Express a cast as the function that it computes, as values have no types here."""
    to, x = applied.attribute("to", 1), applied.x
    if to in FLOATS or (to in INTEGERS and applied.operator.of_integers):
        return single(applied, "alias.default", self=x)
    if to in INTEGERS:
        return single(applied, "trunc.default", self=x)
    return single(applied, "ne.Scalar", self=x, other=0) if to == BOOL else ()


@form("Clip")
def _clip(applied: Applied) -> Steps:
    limits = [
        applied.attribute(word) if applied.given(place) is None else applied.input(place)
        for place, word in ((1, "min"), (2, "max"))
    ]
    if limits == [None, None]:
        return single(applied, "alias.default", self=applied.x)
    return single(applied, "clamp.default", self=applied.x, min=limits[0], max=limits[1])


@form(*PAIRS)
def _pair(applied: Applied) -> Steps:
    return single(applied, PAIRS[applied.operator.kind], self=applied.x, other=applied.input(1))


@form("Div")
def _quotient(applied: Applied) -> Steps:
    """Divide; the quotient of integers is rounded towards zero."""
    args = {"self": applied.x, "other": applied.input(1)}
    quotient = Foreign("aten.div.Tensor", args, applied.out)
    if not applied.operator.of_integers:
        return (quotient,)
    return quotient, Foreign("aten.trunc.default", {"self": last(applied.out)}, applied.out)


@form("Mod")
def _remainder(applied: Applied) -> Steps:
    """Subtract the divisor times the quotient, which is rounded down, or with `fmod` to zero."""
    x, divisor, out = applied.x, applied.input(1), applied.out
    rounding = "trunc" if applied.attribute("fmod") else "floor"
    return (
        Foreign("aten.div.Tensor", {"self": x, "other": divisor}, out),
        Foreign(f"aten.{rounding}.default", {"self": last(out)}, out),
        Foreign("aten.mul.Tensor", {"self": last(out), "other": divisor}, out),
        Foreign("aten.sub.Tensor", {"self": x, "other": last(out)}, out),
    )


@form("Pow")
def _pow(applied: Applied) -> Steps:
    base, exponent = applied.x, applied.input(1)
    if base.constant and prod(base.shape) == 1:
        return single(applied, "pow.Scalar", self=base, exponent=exponent)
    kind = "Tensor_Scalar" if exponent.constant and not base.constant else "Tensor_Tensor"
    return single(applied, f"pow.{kind}", self=base, exponent=exponent)


@form("Max", "Min", "Sum", "Mean")
def _several(applied: Applied) -> Steps:
    """Combine any number of values, one after another."""
    names = {"Max": "maximum.default", "Min": "minimum.default"}
    target = f"aten.{names.get(applied.operator.kind, 'add.Tensor')}"
    first, *others = applied.tensors
    steps: list[Foreign] = []
    for other in others:
        before = last(applied.out) if steps else first
        steps.append(Foreign(target, {"self": before, "other": other}, applied.out))
    if applied.operator.kind == "Mean" and steps:
        steps.append(times(last(applied.out), 1 / len(applied.tensors), applied.out))
    return steps or single(applied, "alias.default", self=first)


@form("Where")
def _where(applied: Applied) -> Steps:
    condition, x, other = (applied.input(place) for place in range(3))
    filled = x.constant and not x.learned and prod(x.shape) == 1 and x.value is not None
    if filled and not other.constant and len(condition.shape) == len(other.shape):
        return single(applied, "masked_fill.Scalar", self=other, mask=condition, value=x)
    return single(applied, "where.self", condition=condition, self=x, other=other)


LARGEST = 3.4028234663852886e38
"""The largest number of float32."""


@form("IsNaN")
def _is_nan(applied: Applied) -> Steps:
    """What is neither at least 0 nor below it."""
    x, out = applied.x, applied.out
    return (
        Foreign("aten.ge.Scalar", {"self": x, "other": 0}, out),
        Foreign("aten.lt.Scalar", {"self": x, "other": 0}, out),
        Foreign("aten.logical_or.default", {"self": last(out, 2), "other": last(out)}, out),
        Foreign("aten.logical_not.default", {"self": last(out)}, out),
    )


@form("IsInf")
def _is_infinite(applied: Applied) -> Steps:
    negative, positive = (
        applied.attribute(f"detect_{word}", 1) for word in ("negative", "positive")
    )
    if not negative or not positive:
        relation, end = ("gt", LARGEST) if positive else ("lt", -LARGEST)
        return single(applied, f"{relation}.Scalar", self=applied.x, other=end)
    return (
        Foreign("aten.abs.default", {"self": applied.x}, applied.out),
        Foreign("aten.gt.Scalar", {"self": last(applied.out), "other": LARGEST}, applied.out),
    )


@form("BitShift")
def _shifted(applied: Applied) -> Steps:
    """A shift to the right, which is a quotient rounded down; to the left, numbers may overflow."""
    if applied.attribute("direction") != "RIGHT" or applied.array(1).size != 1:
        return ()
    factor = 0.5 ** int(applied.array(1).reshape(()))
    return (
        Foreign("aten.mul.Scalar", {"self": applied.x, "other": factor}, applied.out),
        Foreign("aten.floor.default", {"self": last(applied.out)}, applied.out),
    )
