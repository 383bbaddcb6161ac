"""Multiplication by a constant."""

from __future__ import annotations

from math import prod

from archscope.ir import POINTWISE, Call, Example, Op, Saved, Shape, Windows, call, free, moved
from archscope.ops.attributes import Number
from archscope.ops.foreign import Foreign, Recognised, recognises, round_float
from archscope.ops.merge import Mul
from archscope.ops.registry import op


@op("times")
class Times(Op, frozen=True, kw_only=True):
    """The input times a constant, as residuals are scaled in Szegedy et al. 2016.

    factor: the constant
    """

    principal = "factor"

    factor: Number

    def window(self, *ins: Shape) -> Windows:
        return POINTWISE

    def shape(self, *ins: Shape) -> Shape:
        return ins[0]

    params = buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count a multiplication for each element."""
        return prod(ins[0])

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        return Saved()

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Times", self.factor)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(factor=0.17), ((8, 6, 6),)), Example(cls(factor=-2), ((10,),)))


@recognises("onnx.Mul", "onnx.Div")
def onnx_mul(foreign: Foreign) -> Recognised | None:
    """Recognise a product: of tensors, with a number, or with a factor for each channel."""
    a, b = foreign.tensors
    if foreign.target == "onnx.Mul" and a.constant:
        a, b = b, a
    if a.constant:
        return None
    number = b.value
    while isinstance(number, tuple) and len(number) == 1:
        number = number[0]
    if b.constant and isinstance(number, int | float) and number:
        factor = number if foreign.target == "onnx.Mul" else 1 / number
        return Recognised(Times(factor=round_float(factor)), (a,))
    if b.constant or foreign.target == "onnx.Div" or len(a.shape) != len(b.shape):
        return None
    return Recognised(Mul(), (a, b))
