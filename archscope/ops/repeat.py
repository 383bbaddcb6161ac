"""Repeat values: whole axes, each value, or a single value along an axis."""

from __future__ import annotations

from typing import Annotated

from archscope.axes import Resample, Window
from archscope.errors import ShapeError
from archscope.ir import POINTWISE, Call, Example, Shape, Windows, call, text_of
from archscope.onnx_form import Value, X, ints, node
from archscope.ops.attributes import Count, Flag, Positive, TensorShape
from archscope.ops.facts import Rearrangement, View
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op


@op("expand")
class Expand(View, frozen=True, kw_only=True):
    """Repeat axes of one position as a view, without a copy."""

    principal = "size"

    size: Annotated[TensorShape, "target shape; axes with more than one position must not change"]

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        pairs = [*zip(x, self.size, strict=False)]
        if len(x) != len(self.size) or any(a not in (1, b) for a, b in pairs):
            raise ShapeError(
                f"'expand' to {text_of(self.size)} needs axes of that size or 1, got {text_of(x)}"
            )
        return self.size

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        if x[1:] == self.size[1:]:
            return POINTWISE
        return tuple(
            Window() if a == b else Resample(1, (range(1),) * b)
            for a, b in zip(x[1:], self.size[1:], strict=True)
        )

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Expand", *self.size)

    def onnx(self, *ins: Shape) -> Value:
        return node("Expand", X, ints(1, *self.size))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(size=(8, 6, 5)), ((1, 6, 5),)),
            Example(cls(size=(8, 6, 5)), ((8, 1, 1),)),
            Example(cls(size=(4, 3)), ((4, 1),)),
        )


@op("tile")
class Tile(Rearrangement, frozen=True, kw_only=True):
    """Repeat an axis: `tile: {times: 2}` doubles the channels."""

    principal = "times"

    times: Annotated[Positive, "how often"]
    axis: Annotated[Count, "the axis; 0 is the channel axis"] = 0
    each: Annotated[Flag, "repeat each value in place, instead of the axis as a whole"] = False

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if self.axis >= len(x):
            raise ShapeError(f"'tile' along axis {self.axis} needs that axis, got {text_of(x)}")
        return (*x[: self.axis], x[self.axis] * self.times, *x[self.axis + 1 :])

    def is_identity(self, *ins: Shape) -> bool:
        return self.times == 1

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        if self.axis == 0:
            return POINTWISE
        size = x[self.axis]
        if self.each:
            along = Resample(1, (range(1),) * self.times)
        else:
            along = Resample(size, tuple(range(u, u + 1) for u in range(size)) * self.times)
        return tuple(along if axis == self.axis else Window() for axis in range(1, len(x)))

    def torch(self, *ins: Shape) -> Call:
        words = {"each": True} if self.each else {}
        return call("archscope.nn.Tile", self.times, self.axis + 1, **words)

    def onnx(self, *ins: Shape) -> Value:
        (x,) = ins
        before, after = x[: self.axis], x[self.axis + 1 :]
        if not self.each:
            return node("Tile", X, ints(1, *(1 for _ in before), self.times, *(1 for _ in after)))
        apart = node("Reshape", X, ints(0, *before, x[self.axis], 1, *after))
        ones = (1 for _ in range(self.axis + 2))
        tiled = node("Tile", apart, ints(*ones, self.times, *(1 for _ in after)))
        return node("Reshape", tiled, ints(0, *self.shape(x)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(times=2), ((4, 6, 5),)),
            Example(cls(times=2, each=True), ((4, 6),)),
            Example(cls(times=3, axis=2), ((2, 6, 5),)),
            Example(cls(times=2, axis=1, each=True), ((2, 6, 5),)),
        )


@recognises("aten.expand.default", "aten.expand_as.default")
def expand_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the expansion of axes of size 1."""
    x = foreign.ins[0]
    return Recognised(Expand(size=foreign.out[1:]), (x,)) if len(foreign.out) > 1 else None


@recognises("aten.repeat.default", "aten.tile.default")
def tile_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise repeated axes."""
    (x,) = foreign.ins
    times = tuple(foreign.get("repeats", foreign.get("dims")))
    times = (1,) * (len(x.shape) - len(times)) + times
    if len(times) != len(x.shape) or times[0] != 1:
        return None
    tiles = tuple(Tile(times=n, axis=axis) for axis, n in enumerate(times[1:]) if n != 1)
    return Recognised(tiles[0], (x,), then=tiles[1:]) if tiles else None


@recognises("aten.repeat_interleave.self_int")
def repeat_each_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise values repeated in place."""
    (x,) = foreign.ins
    axis, times = foreign.get("dim"), foreign.get("repeats")
    place = 0 if axis is None else axis % len(x.shape)
    return Recognised(Tile(times=times, axis=place - 1, each=True), (x,)) if place else None
