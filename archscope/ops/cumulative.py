"""Cumulative sums and products along an axis."""

from __future__ import annotations

from math import prod

from archscope.axes import Axis, Resample, Window
from archscope.ir import POINTWISE, Example, Saved, Shape, Windows
from archscope.onnx_form import Value, X, ints, node
from archscope.ops.axis_functions import AlongAxis, checked_axis
from archscope.ops.facts import saves_nothing
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op


class Cumulative(AlongAxis, frozen=True, kw_only=True):
    """The base class of cumulative functions; not an operator itself."""

    keeps_zero = True

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        if checked_axis(self.name, self.axis, x) == 0:
            return POINTWISE
        windows: list[Axis] = [Window()] * (len(x) - 1)
        size = x[self.axis]
        windows[self.axis - 1] = Resample(size, tuple(range(place + 1) for place in range(size)))
        return tuple(windows)

    def elementwise(self, *ins: Shape) -> int:
        """Count an operation for each value except the first along the axis."""
        (x,) = ins
        return prod(x) - prod(x) // x[self.axis]


@op("cumsum")
class CumSum(Cumulative, frozen=True, kw_only=True):
    """Cumulative sum along an axis."""

    modules = ("archscope.nn.CumSum",)
    saved = saves_nothing

    def onnx(self, *ins: Shape) -> Value:
        return node("CumSum", X, ints(self.axis + 1))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 5),)),
            Example(cls(axis=2), ((3, 4, 5),)),
            Example(cls(axis=1), ((3, 6),)),
        )


@op("cumprod")
class CumProd(Cumulative, frozen=True, kw_only=True):
    """Cumulative product along an axis."""

    modules = ("archscope.nn.CumProd",)
    nonlinear = True

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, output=True)

    def onnx(self, *ins: Shape) -> Value:
        """Multiply slice by slice, as not all opsets of ONNX have such an operator."""
        axis = ints(self.axis + 1)
        parts = [node("Slice", X, ints(i), ints(i + 1), axis) for i in range(ins[0][self.axis])]
        products: list[Value] = [parts[0]]
        for part in parts[1:]:
            products.append(node("Mul", products[-1], part))
        return node("Concat", *products, axis=self.axis + 1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((4, 6, 5),)), Example(cls(axis=1), ((3, 6),)))


@recognises("aten.cumsum.default", "aten.cumprod.default")
def cumulative_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise cumulative sums and products along an axis of the image."""
    axis = foreign.args["dim"] % len(foreign.out)
    cls = CumSum if "cumsum" in foreign.target else CumProd
    return Recognised(cls(axis=axis - 1), foreign.ins) if axis else None
