"""Overwrite a part of the input with a constant."""

from __future__ import annotations

from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import POINTWISE, WHOLE, Call, Example, Shape, Windows, call, text_of
from archscope.onnx_form import Value, X, ints, node, scalar
from archscope.ops.attributes import Count, Number, Positive
from archscope.ops.facts import Rearrangement
from archscope.ops.foreign import Recognised, Tensor
from archscope.ops.registry import op


@op("fill")
class Fill(Rearrangement, frozen=True, kw_only=True):
    """Overwrite a range along an axis with a constant: `y[:, 0:4] = 0` in torch."""

    start: Annotated[Count, "start along the axis"]
    stop: Annotated[Positive, "the place after the last"]
    axis: Annotated[Count, "the axis; 0 is the channel axis"] = 0
    value: Annotated[Number, "the constant"] = 0.0

    @property
    def keeps_zero(self) -> bool:  # type: ignore[override]
        return self.value == 0

    @property
    def selects(self) -> bool:  # type: ignore[override]
        return self.value == 0

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if self.axis >= len(x) or not self.start < self.stop <= x[self.axis]:
            raise ShapeError(
                f"'fill' from {self.start} to {self.stop} along axis {self.axis} does not lie"
                f" within {text_of(x)}"
            )
        return x

    def window(self, *ins: Shape) -> Windows:
        """Return the whole input if positions are filled, as an upper bound."""
        return WHOLE if self.axis else POINTWISE

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Fill", self.start, self.stop, self.axis + 1, self.value)

    def onnx(self, *ins: Shape) -> Value:
        axis, size = ints(self.axis + 1), ins[0][self.axis]
        ends = [(0, self.start), (self.start, self.stop), (self.stop, size)]
        parts = [node("Slice", X, ints(a), ints(b), axis) for a, b in ends]
        parts[1] = node("Add", node("Mul", parts[1], scalar(0)), scalar(self.value))
        kept = [part for part, (a, b) in zip(parts, ends, strict=True) if b > a]
        return node("Concat", *kept, axis=self.axis + 1) if len(kept) > 1 else kept[0]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(start=2, stop=4), ((8, 6, 5),)),
            Example(cls(start=0, stop=2, axis=1, value=1), ((4, 6),)),
        )


def filled(x: Tensor, part: Tensor, start: int, stop: int, axis: int) -> Recognised | None:
    """Return an input a range of which is one number, None if the part is of several."""
    if x.constant or not part.constant or not isinstance(part.value, int | float):
        return None
    return Recognised(Fill(start=start, stop=stop, axis=axis, value=float(part.value)), (x,))
