"""Multiplication by a learned factor per channel, or by a constant."""

from __future__ import annotations

from math import frexp, prod
from typing import Annotated

from archscope.ir import Call, Example, Op, Shape, call
from archscope.onnx_form import Value, X, node, per_channel, scalar, weight
from archscope.ops.attributes import Flag, Nonzero, Number
from archscope.ops.facts import (
    Weightless,
    free,
    moved,
    pointwise,
    same_shape,
    saves_input,
    saves_nothing,
)
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises, round_float, with_bias
from archscope.ops.merge import Mul
from archscope.ops.registry import op


@op("scale")
class Scale(Op, frozen=True, kw_only=True):
    """Multiply each channel by a learned factor: the layer scale of Touvron et al. 2021."""

    principal = "initial"
    modules = ("archscope.nn.Scale",)
    valuewise = True

    initial: Annotated[Number, "initial value of the factors"] = 1.0
    bias: Annotated[Flag, "learn a shift for each channel as well"] = False

    @property
    def keeps_zero(self) -> bool:
        return not self.bias

    window = pointwise
    shape = same_shape

    def params(self, *ins: Shape) -> int:
        return ins[0][0] * (1 + self.bias)

    buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count a multiplication for each element, and an addition if there is a shift."""
        return prod(ins[0]) * (1 + self.bias)

    access = moved
    saved = saves_input

    def torch(self, *ins: Shape) -> Call:
        words = {"bias": True} if self.bias else {}
        return call("archscope.nn.Scale", ins[0][0], self.initial, **words)

    def onnx(self, *ins: Shape) -> Value:
        channels, rank = ins[0][0], len(ins[0]) - 1
        factors = weight("weight", channels, centre=self.initial, spread=0.0)
        scaled = node("Mul", X, per_channel(factors, channels, rank))
        shifts = per_channel(weight("bias", channels, spread=0.0), channels, rank)
        return node("Add", scaled, shifts) if self.bias else scaled

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 5),)),
            Example(cls(initial=0.5, bias=True), ((8, 12),)),
            Example(cls(initial=0.1), ((8,),)),
        )


@op("mul_scalar")
class MulScalar(Weightless, frozen=True, kw_only=True):
    """Multiply by a constant, as for scaling residuals in Szegedy et al. 2016."""

    principal = "factor"
    modules = ("archscope.nn.MulScalar",)
    valuewise = keeps_zero = True

    factor: Annotated[Number, "the constant"]

    def is_zero(self, *zero: bool) -> bool:
        return self.factor == 0 or all(zero)

    def is_identity(self, *ins: Shape) -> bool:
        return self.factor == 1

    window = pointwise
    shape = same_shape
    saved = saves_nothing

    def onnx(self, *ins: Shape) -> Value:
        return node("Mul", X, scalar(self.factor))

    def elementwise(self, *ins: Shape) -> int:
        """Count a multiplication for each element."""
        return prod(ins[0])

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(factor=0.17), ((8, 6, 6),)), Example(cls(factor=-2), ((10,),)))


@op("div_scalar")
class DivScalar(Weightless, frozen=True, kw_only=True):
    """Divide by a constant, rounded as a quotient: a product with the reciprocal may differ."""

    principal = "divisor"
    modules = ("archscope.nn.DivScalar",)
    valuewise = keeps_zero = True

    divisor: Annotated[Nonzero, "the constant"]

    @property
    def factor(self) -> float:
        """The reciprocal of the divisor."""
        return 1 / self.divisor

    def is_identity(self, *ins: Shape) -> bool:
        return self.divisor == 1

    window = pointwise
    shape = same_shape
    saved = saves_nothing

    def onnx(self, *ins: Shape) -> Value:
        return node("Div", X, scalar(self.divisor))

    def elementwise(self, *ins: Shape) -> int:
        """Count a division for each element."""
        return prod(ins[0])

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(divisor=255), ((8, 6, 6),)), Example(cls(divisor=-0.3), ((10,),)))


def quotient(divisor: float) -> MulScalar | DivScalar:
    """Return the division by a constant, as a product where that is equally exact."""
    exact = abs(frexp(divisor)[0]) == 0.5  # a power of two
    return MulScalar(factor=1 / divisor) if exact else DivScalar(divisor=divisor)


@recognises("onnx.Scale")
def onnx_scale(foreign: Foreign) -> Recognised | None:
    """Recognise a factor and a shift for each channel, as prepared by the importer."""
    held = with_bias(foreign, "scale")
    return Recognised(Scale(bias="bias" in held), (foreign.get("X"),), held)


@recognises("onnx.Mul", "onnx.Div")
def onnx_mul(foreign: Foreign) -> Recognised | None:
    """Recognise a product: of tensors, with a number, or with a factor per channel."""
    a, b = foreign.tensors
    if foreign.target == "onnx.Mul" and a.constant:
        a, b = b, a
    if a.constant:
        return None
    number = b.value
    while isinstance(number, tuple) and len(number) == 1:
        number = number[0]
    if b.constant and isinstance(number, int | float) and number:
        constant = round_float(number)
        product = foreign.target == "onnx.Mul"
        return Recognised(MulScalar(factor=constant) if product else quotient(constant), (a,))
    if b.constant or foreign.target == "onnx.Div" or len(a.shape) != len(b.shape):
        return None
    return Recognised(Mul(), (a, b))


def scale_of(x: Tensor, factors: Tensor) -> Recognised | None:
    """Return the product of a tensor and a learned factor for each of its channels."""
    shape = (1,) * (len(x.shape) - len(factors.shape)) + factors.shape
    if len(shape) != len(x.shape) or shape[0] != 1 or shape[1] != x.shape[1]:
        return None
    if any(size != 1 for size in shape[2:]):
        return None
    return Recognised(Scale(), (x,), {"weight": factors})
