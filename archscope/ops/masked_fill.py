"""Fill the elements that a computed mask chooses with a number."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from archscope.ir import Example, Op, Saved, Shape
from archscope.onnx_form import Input, Value, node, scalar
from archscope.ops.arithmetic import AddScalar
from archscope.ops.attributes import Number
from archscope.ops.facts import Weightless, pointwise
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises
from archscope.ops.merge import broadcast
from archscope.ops.pad import LOWEST
from archscope.ops.registry import op


@op("masked_fill")
class MaskedFill(Weightless, frozen=True, kw_only=True):
    """Fill the first input with a number where the second, a mask, is positive.

    The number stands for infinity if it is the lowest or the largest of single precision.
    """

    principal = "value"
    arity = (2, 2)
    modules = ("archscope.nn.MaskedFill",)
    keeps_zero = True
    without_slope = (1,)

    value: Annotated[Number, "the number"] = 0.0

    window = pointwise

    def is_zero(self, *zero: bool) -> bool:
        return zero[0] and (zero[1] or self.value == 0)

    def shape(self, *ins: Shape) -> Shape:
        return broadcast("masked_fill", ins)

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each element of the mask."""
        return prod(ins[1])

    def saved(self, *ins: Shape) -> Saved:
        """State only the mask, of one byte per element: a quarter of a number."""
        return Saved(elements=-(-prod(ins[1]) // 4))

    def onnx(self, *ins: Shape) -> Value:
        return node("Where", node("Greater", Input(1), scalar(0)), scalar(self.value), Input(0))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(value=-3.5), ((4, 6, 6), (4, 6, 6))),
            Example(cls(), ((8, 4), (1, 4))),
        )


def _finite(value: Any) -> float | None:
    """Return a number, for infinity the largest in single precision; None for anything else."""
    while isinstance(value, Tensor | tuple):
        value = value.value if isinstance(value, Tensor) else value[0] if len(value) == 1 else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return min(max(float(value), LOWEST), -LOWEST)


@recognises("aten.masked_fill.Scalar", "aten.masked_fill.Tensor")
def masked_fill_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a computed mask on the input, or on a single number."""
    x, mask, value = foreign.args["self"], foreign.args["mask"], _finite(foreign.args["value"])
    if value is None or mask.constant:
        return None
    if x.constant:
        base = _finite(x)
        if base is None or mask.shape != foreign.out:
            return None
        shifted = value if abs(value) == -LOWEST else value - base
        then: tuple[Op, ...] = (AddScalar(value=base),) if base else ()
        return Recognised(MaskedFill(value=shifted), (mask, mask), then=then)
    if len(mask.shape) != len(x.shape):
        return None
    return Recognised(MaskedFill(value=value), (x, mask))
