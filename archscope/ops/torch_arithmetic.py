"""Recognise torch's arithmetic: of two tensors, with numbers, and with weights and constants."""

from __future__ import annotations

from typing import Any

from archscope.ir import Op
from archscope.ops.activation import ReLU, ReLU6
from archscope.ops.arithmetic import (
    AddScalar,
    ATan2,
    Clamp,
    Div,
    Maximum,
    Minimum,
    Pow,
    Power,
    RSub,
    Sub,
)
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises
from archscope.ops.learned import KINDS, Learned
from archscope.ops.merge import Add, Mul
from archscope.ops.scale import MulScalar, quotient, scale_of
from archscope.ops.unary import Unary

TARGETS = {
    "aten.add.Tensor": "add", "aten.add.Scalar": "add", "aten.sub.Tensor": "sub",
    "aten.sub.Scalar": "sub", "aten.rsub.Scalar": "rsub", "aten.rsub.Tensor": "rsub",
    "aten.mul.Tensor": "mul", "aten.mul.Scalar": "mul", "aten.multiply.Tensor": "mul",
    "aten.subtract.Tensor": "sub", "aten.div.Tensor": "div", "aten.div.Scalar": "div",
    "aten.divide.Tensor": "div", "aten.true_divide.Tensor": "div",
    "aten.maximum.default": "maximum", "aten.minimum.default": "minimum",
    "aten.max.other": "maximum", "aten.min.other": "minimum", "aten.pow.Tensor_Scalar": "pow",
    "aten.pow.Tensor_Tensor": "pow", "aten.atan2.default": "atan2",
}  # fmt: skip
"""The functions by the operators of torch."""

SWAPPED = {
    "add": "add", "sub": "rsub", "rsub": "sub", "mul": "mul", "div": "rdiv", "maximum": "maximum",
    "minimum": "minimum",
}  # fmt: skip
"""The same functions with swapped operands, if they exist."""

PAIRS: dict[str, type[Op]] = {
    "add": Add, "sub": Sub, "mul": Mul, "div": Div, "maximum": Maximum, "minimum": Minimum,
    "pow": Power, "atan2": ATan2,
}  # fmt: skip


@recognises(*TARGETS)
def arithmetic_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a function of two operands."""
    function = TARGETS[foreign.target]
    a, b = foreign.get("self", foreign.get("input")), foreign.get("other", foreign.get("exponent"))
    alpha = foreign.get("alpha", 1)
    if alpha != 1:  # the factor of the second operand
        number = number_of(b)
        if number is None:
            return None
        b = alpha * number
    if function == "rsub" and _is_input(b):
        function, a, b = "sub", b, a
    if _is_input(a) and _is_input(b):
        fits = function in PAIRS and len(a.shape) == len(b.shape)
        return Recognised(PAIRS[function](), (a, b)) if fits else None
    if not _is_input(a):
        if function not in SWAPPED:
            return None
        function, a, b = SWAPPED[function], b, a
    number = number_of(b)
    if number is not None:
        return _with_number(function, a, number)
    return _with_weight(function, a, b) if isinstance(b, Tensor) and a is not b else None


def _is_input(value: Any) -> bool:
    return isinstance(value, Tensor) and not value.constant


def number_of(value: Any) -> float | None:
    """Return the value of an argument; None if it has several numbers or depends on the input."""
    if isinstance(value, Tensor):
        if not value.constant or value.learned:
            return None
        value = value.value
        while isinstance(value, tuple) and len(value) == 1:
            value = value[0]
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e300:
        return None
    return float(value)


def _with_number(function: str, x: Tensor, number: float) -> Recognised | None:
    found: Op
    if function == "add":
        found = AddScalar(value=number)
    elif function == "sub":
        found = AddScalar(value=-number)
    elif function == "rsub":
        found = RSub(value=number)
    elif function == "mul":
        found = MulScalar(factor=number)
    elif function == "div" and number:
        found = quotient(number)
    elif function == "pow":
        found = {2: Unary(function="square"), 0.5: Unary(function="sqrt")}.get(
            number, Pow(exponent=number)
        )
    elif function == "maximum":
        found = ReLU() if number == 0 else Clamp(min=number)
    elif function == "minimum":
        found = Clamp(max=number)
    elif function == "rdiv":
        then: tuple[Op, ...] = () if number == 1 else (MulScalar(factor=number),)
        return Recognised(Unary(function="reciprocal"), (x,), then=then)
    else:
        return None
    return Recognised(found, (x,))


def _with_weight(function: str, x: Tensor, weight: Tensor) -> Recognised | None:
    """Return arithmetic with a constant tensor without a batch."""
    scale = scale_of(x, weight) if function == "mul" and weight.learned else None
    if scale is not None:
        return scale
    shape = (1,) * (len(x.shape) - len(weight.shape)) + weight.shape
    fits = len(shape) == len(x.shape) and shape[0] == 1 and len(shape) > 1
    if not fits or function not in KINDS:
        return None
    found = Learned(size=shape[1:], function=function, fixed=not weight.learned)
    return Recognised(found, (x,), {"weight": weight})


@recognises("aten.clamp.default", "aten.clamp_min.default", "aten.clamp_max.default",
            "aten.hardtanh.default", "aten.clip.default")  # fmt: skip
def clamp_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise limits that are numbers; 0 and 6 are those of ReLU and ReLU6."""
    ends: list[float | None] = []
    for word in ("min", "max"):
        end = foreign.get(word, foreign.get(f"{word}_val"))
        number = None if end in (None, float("inf"), float("-inf")) else number_of(end)
        if number is None and isinstance(end, Tensor):
            return None
        ends.append(number)
    low, high = ends
    if low == 0 and high in (None, 6):
        return Recognised(ReLU() if high is None else ReLU6(), foreign.ins[:1])
    if low is None and high is None:
        return None
    return Recognised(Clamp(min=low, max=high), foreign.ins[:1])


@recognises("aten.pow.Scalar", "aten.exp2.default")
def power_of_number(foreign: Foreign) -> Recognised | None:
    """Recognise a number to the power of a tensor, as the exponential of a product."""
    from math import log

    base = number_of(foreign.get("self")) if foreign.target == "aten.pow.Scalar" else 2.0
    if base is None or base <= 0:
        return None
    return Recognised(MulScalar(factor=log(base)), foreign.ins, then=(Unary(function="exp"),))
