"""Differences, quotients and extremes of two inputs, and arithmetic with constants."""

from __future__ import annotations

from math import pi, prod
from typing import Annotated, ClassVar

from archscope.errors import ShapeError
from archscope.ir import Example, Saved, Shape
from archscope.onnx_form import Input, Value, X, node, scalar
from archscope.ops.attributes import Number
from archscope.ops.facts import Weightless, pointwise, same_shape, saves_input, saves_nothing
from archscope.ops.merge import broadcast
from archscope.ops.registry import op


class Pair(Weightless, frozen=True):
    """The base class of operators on two inputs; not an operator itself.

    Sizes must be equal or 1 along each axis.
    """

    arity = (2, 2)
    branching = keeps_zero = True

    onnx_kind: ClassVar[str]

    window = pointwise

    def shape(self, *ins: Shape) -> Shape:
        return broadcast(self.name, ins)

    def elementwise(self, *ins: Shape) -> int:
        """Count an operation for each element of the result."""
        return prod(self.shape(*ins))

    def onnx(self, *ins: Shape) -> Value:
        return node(self.onnx_kind, Input(0), Input(1))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6), (8, 6, 6))),
            Example(cls(), ((8, 6, 5), (8, 1, 1))),
            Example(cls(), ((1, 6), (4, 6))),
        )


@op("sub")
class Sub(Pair, frozen=True, kw_only=True):
    """The first input minus the second; sizes are equal or 1 along each axis."""

    modules = ("archscope.nn.Sub",)
    onnx_kind = "Sub"
    saved = saves_nothing


@op("div")
class Div(Pair, frozen=True, kw_only=True):
    """The first input divided by the second; sizes are equal or 1 along each axis."""

    modules = ("archscope.nn.Div",)
    onnx_kind = "Div"
    keeps_zero = False
    saved = saves_input


@op("maximum")
class Maximum(Pair, frozen=True, kw_only=True):
    """The larger of two values; sizes are equal or 1 along each axis."""

    modules = ("archscope.nn.Maximum",)
    onnx_kind = "Max"
    saved = saves_input


@op("minimum")
class Minimum(Pair, frozen=True, kw_only=True):
    """The smaller of two values; sizes are equal or 1 along each axis."""

    modules = ("archscope.nn.Minimum",)
    onnx_kind = "Min"
    saved = saves_input


@op("power")
class Power(Pair, frozen=True, kw_only=True):
    """The first input to the power of the second; sizes are equal or 1 along each axis."""

    modules = ("archscope.nn.Power",)
    nonlinear = True
    keeps_zero = False
    onnx_kind = "Pow"

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, output=True)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return tuple(Example(cls(), case.ins, positive=True) for case in super().examples())


@op("atan2")
class ATan2(Pair, frozen=True, kw_only=True):
    """The angle of points whose heights are the first input and whose widths the second."""

    modules = ("archscope.nn.ATan2",)
    nonlinear = True
    saved = saves_input

    def onnx(self, *ins: Shape) -> Value:
        """Describe it by the angle in a half plane; on the axis of heights it is a right one."""
        y, x = Input(0), Input(1)
        behind = node("Where", node("Less", y, scalar(0)), scalar(-pi), scalar(pi))
        turned = node("Where", node("Less", x, scalar(0)), behind, scalar(0))
        upright = node("Mul", node("Sign", y), scalar(pi / 2))
        angle = node("Where", node("Equal", x, scalar(0)), upright, node("Atan", node("Div", y, x)))
        return node("Add", angle, turned)


class WithConstant(Weightless, frozen=True, kw_only=True):
    """The base class of arithmetic with a constant; not an operator itself."""

    valuewise = True

    window = pointwise
    shape = same_shape

    def elementwise(self, *ins: Shape) -> int:
        """Count an operation for each element."""
        return prod(ins[0])


@op("add_scalar")
class AddScalar(WithConstant, frozen=True, kw_only=True):
    """Add a constant."""

    principal = "value"
    modules = ("archscope.nn.AddScalar",)

    value: Annotated[Number, "the constant"]

    saved = saves_nothing

    @property
    def keeps_zero(self) -> bool:
        return self.value == 0

    def is_identity(self, *ins: Shape) -> bool:
        return self.value == 0

    def onnx(self, *ins: Shape) -> Value:
        return node("Add", X, scalar(self.value))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(value=0.5), ((8, 6, 6),)), Example(cls(value=-3), ((10,),)))


@op("rsub")
class RSub(WithConstant, frozen=True, kw_only=True):
    """A constant minus the input: `rsub: 1` is the complement of a gate."""

    principal = "value"
    modules = ("archscope.nn.RSub",)

    value: Annotated[Number, "the constant"]

    saved = saves_nothing

    @property
    def keeps_zero(self) -> bool:
        return self.value == 0

    def onnx(self, *ins: Shape) -> Value:
        return node("Sub", scalar(self.value), X)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(value=1), ((8, 6, 6),)), Example(cls(value=0), ((10,),)))


@op("pow")
class Pow(WithConstant, frozen=True, kw_only=True):
    """The input to the power of a constant."""

    principal = "exponent"
    modules = ("archscope.nn.Pow",)
    nonlinear = True

    exponent: Annotated[Number, "the constant"]

    saved = saves_input

    @property
    def keeps_zero(self) -> bool:
        return self.exponent > 0

    def is_identity(self, *ins: Shape) -> bool:
        return self.exponent == 1

    def onnx(self, *ins: Shape) -> Value:
        return node("Pow", X, scalar(self.exponent))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(exponent=2), ((8, 6, 6),)), Example(cls(exponent=3), ((10,),)))


@op("clamp")
class Clamp(WithConstant, frozen=True, kw_only=True):
    """Limit values to the range from `min` to `max`."""

    nonlinear = True

    min: Annotated[Number | None, "lower limit, if any"] = None
    max: Annotated[Number | None, "upper limit, if any"] = None

    modules = ("archscope.nn.Clamp",)
    saved = saves_input

    def shape(self, *ins: Shape) -> Shape:
        if self.min is None and self.max is None:
            raise ShapeError("'clamp' needs min, max or both")
        return ins[0]

    @property
    def keeps_zero(self) -> bool:
        return (self.min is None or self.min <= 0) and (self.max is None or self.max >= 0)

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison with each limit for each element."""
        return prod(ins[0]) * sum(end is not None for end in (self.min, self.max))

    def onnx(self, *ins: Shape) -> Value:
        ends = (None if end is None else scalar(end) for end in (self.min, self.max))
        return node("Clip", X, *ends)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(min=-1, max=1), ((8, 6, 6),)),
            Example(cls(min=0.25), ((10,),)),
            Example(cls(max=0.5), ((8, 5),)),
        )
