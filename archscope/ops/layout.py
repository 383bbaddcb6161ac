"""Permute axes, and select an element along an axis, as views."""

from __future__ import annotations

from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Shape, Windows, call, text_of
from archscope.onnx_form import Constant, Value, X, node
from archscope.ops.attributes import COUNT, RANK, Count, list_of
from archscope.ops.facts import View, whole
from archscope.ops.registry import op

Order = Annotated[tuple[int, ...], list_of(COUNT, RANK, "whole numbers of at least 0")]


@op("permute")
class Permute(View, frozen=True, kw_only=True):
    """Permute the axes: `permute: [1, 2, 0]` moves the channels to the end."""

    principal = "order"
    modules = ("archscope.nn.Permute",)

    order: Annotated[
        Order, "the axis of the input for each axis of the output; 0 is the channel axis"
    ]

    def is_identity(self, *ins: Shape) -> bool:
        return self.order == tuple(sorted(self.order))

    def window(self, *ins: Shape) -> Windows:
        return () if self.is_identity(*ins) else None

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if sorted(self.order) != [*range(len(x))]:
            raise ShapeError(
                f"'permute' needs each of the {len(x)} axes of {text_of(x)} once, from 0 to"
                f" {len(x) - 1}, got {list(self.order)}"
            )
        return tuple(x[axis] for axis in self.order)

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Permute", *self.order)

    def onnx(self, *ins: Shape) -> Value:
        return node("Transpose", X, perm=(0, *(axis + 1 for axis in self.order)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(order=(1, 2, 0)), ((8, 6, 5),)),
            Example(cls(order=(1, 0)), ((8, 12),)),
            Example(cls(order=(0, 1)), ((3, 4),)),
        )


@op("select")
class Select(View, frozen=True, kw_only=True):
    """Select an element along an axis and remove the axis: `select: 0` is a class token."""

    principal = "index"

    index: Annotated[Count, "index of the element, from 0"]
    axis: Annotated[Count, "the axis; 0 is the channel axis, 1 the first after it"] = 1

    window = whole

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if self.axis >= len(x) or len(x) < 2:
            raise ShapeError(
                f"'select' along axis {self.axis} needs that axis and another, got {text_of(x)}"
            )
        if self.index >= x[self.axis]:
            raise ShapeError(
                f"'select' of {self.index} along axis {self.axis} does not lie within {text_of(x)}"
            )
        return x[: self.axis] + x[self.axis + 1 :]

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Select", self.index, self.axis + 1)

    def onnx(self, *ins: Shape) -> Value:
        return node("Gather", X, Constant(self.index, "int64"), axis=self.axis + 1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(index=0), ((8, 6),)),
            Example(cls(index=2, axis=0), ((3, 4, 5),)),
        )
