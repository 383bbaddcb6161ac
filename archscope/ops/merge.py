"""Operators that merge branches."""

from __future__ import annotations

from functools import reduce
from math import prod
from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import POINTWISE, WHOLE, Call, Example, Saved, Shape, Windows, call, text_of
from archscope.onnx_form import Input, Value, ints, node
from archscope.ops.attributes import Count, choice
from archscope.ops.facts import Weightless, free, pointwise, saves_nothing, whole
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op
from archscope.ops.reshape import Identity


def texts_of(ins: tuple[Shape, ...]) -> str:
    """Return shapes for a message: `3x8x8 and 3x4x4`."""
    return " and ".join(map(text_of, ins))


def broadcast(name: str, ins: tuple[Shape, ...]) -> Shape:
    """Return the shape of inputs whose sizes are equal or 1 along each axis. Raises ShapeError."""
    ranks = {len(x) for x in ins}
    sizes = [{*axis} - {1} for axis in zip(*ins, strict=False)]
    if len(ranks) > 1 or any(len(axis) > 1 for axis in sizes):
        raise ShapeError(
            f"'{name}' needs shapes that are equal or 1 on each axis, got {texts_of(ins)}"
        )
    return tuple(axis.pop() if axis else 1 for axis in sizes)


class Merge(Weightless, frozen=True):
    """The base class of operators that merge branches position by position; not one itself."""

    arity = (2, None)
    branching = keeps_zero = True
    window = pointwise


@op("add")
class Add(Merge, frozen=True, kw_only=True):
    """Sum of inputs whose sizes are equal or 1 along each axis."""

    modules = ("archscope.nn.Add",)
    commutative = zero_is_neutral = True

    def shape(self, *ins: Shape) -> Shape:
        return broadcast("add", ins)

    def elementwise(self, *ins: Shape) -> int:
        """Count the additions."""
        return sum(prod(broadcast("add", ins[:end])) for end in range(2, len(ins) + 1))

    saved = saves_nothing

    def onnx(self, *ins: Shape) -> Value:
        return node("Add" if len(ins) == 2 else "Sum", *map(Input, range(len(ins))))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6), (8, 6, 6))),
            Example(cls(), ((10,), (10,), (10,))),
            Example(cls(), ((8, 6, 6), (8, 1, 1))),
        )


@op("mul")
class Mul(Merge, frozen=True, kw_only=True):
    """Product of inputs whose sizes are equal or 1 along each axis: gates and attention masks."""

    modules = ("archscope.nn.Mul",)
    commutative = True

    def is_zero(self, *zero: bool) -> bool:
        return any(zero)

    def shape(self, *ins: Shape) -> Shape:
        return broadcast("mul", ins)

    def elementwise(self, *ins: Shape) -> int:
        """Count the multiplications."""
        return (len(ins) - 1) * prod(self.shape(*ins))

    def saved(self, *ins: Shape) -> Saved:
        partial = ins[0]
        extra = 0
        for x in ins[1:-1]:
            partial = self.shape(partial, x)
            extra += prod(partial)
        return Saved(input=True, elements=extra)

    def onnx(self, *ins: Shape) -> Value:
        inputs: list[Value] = [Input(place) for place in range(len(ins))]
        return reduce(lambda product, factor: node("Mul", product, factor), inputs)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6), (8, 1, 1))),
            Example(cls(), ((8, 6, 6), (1, 6, 6))),
            Example(cls(), ((8, 6, 6), (8, 6, 6), (8, 1, 1))),
        )


@op("concat")
class Concat(Merge, frozen=True, kw_only=True):
    """Concatenate all inputs along an axis, by default their channels."""

    may_see_less = selects = True
    principal = "axis"
    modules = ("archscope.nn.Concat",)

    axis: Annotated[Count, "the axis; 0 is the channel axis"] = 0

    elementwise = free
    saved = saves_nothing

    def shape(self, *ins: Shape) -> Shape:
        axis = self.axis
        others = {(*x[:axis], *x[axis + 1 :]) for x in ins}
        if any(axis >= len(x) for x in ins) or len(others) > 1 or len({*map(len, ins)}) > 1:
            rest = f"that axis, {axis}" if axis else "the channels"
            raise ShapeError(f"'concat' needs equal shapes but for {rest}, got {texts_of(ins)}")
        return *ins[0][:axis], sum(x[axis] for x in ins), *ins[0][axis + 1 :]

    def window(self, *ins: Shape) -> Windows:
        """Return the whole input if positions are concatenated, as an upper bound."""
        return WHOLE if self.axis else POINTWISE

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Concat", *((self.axis + 1,) if self.axis else ()))

    def onnx(self, *ins: Shape) -> Value:
        return node("Concat", *map(Input, range(len(ins))), axis=self.axis + 1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6), (4, 6, 6))),
            Example(cls(), ((3,), (4,), (5,))),
            Example(cls(axis=1), ((4, 6, 5), (4, 2, 5))),
            Example(cls(axis=2), ((4, 6, 5), (4, 6, 2), (4, 6, 1))),
        )


Metric = Annotated[str, choice("euclidean", "manhattan")]


@op("distance")
class Distance(Weightless, frozen=True, kw_only=True):
    """Distance between two feature vectors, as in siamese networks."""

    principal = "metric"
    arity = (2, 2)
    modules = ("archscope.nn.Distance",)
    keeps_zero = True

    metric: Annotated[Metric, "euclidean (L2) or manhattan (L1)"] = "euclidean"

    window = whole

    def shape(self, *ins: Shape) -> Shape:
        if ins[0] != ins[1] or len(ins[0]) != 1:
            raise ShapeError(f"'distance' needs two flat inputs of one length, got {texts_of(ins)}")
        return (1,)

    def elementwise(self, *ins: Shape) -> int:
        """Count the difference, its square or absolute value, and the sum."""
        return 3 * ins[0][0]

    def saved(self, *ins: Shape) -> Saved:
        return Saved(output=True, elements=ins[0][0])

    def onnx(self, *ins: Shape) -> Value:
        kind = {"euclidean": "ReduceL2", "manhattan": "ReduceL1"}[self.metric]
        return node(kind, node("Sub", Input(0), Input(1)), ints(1))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((128,), (128,))),
            Example(cls(metric="manhattan"), ((16,), (16,))),
        )


@recognises("onnx.Distance")
def onnx_distance(foreign: Foreign) -> Recognised | None:
    """Recognise a distance, as prepared by the importer."""
    return Recognised(Distance(metric=foreign.get("metric")), foreign.ins)


@recognises("onnx.Add", "onnx.Sum")
def onnx_add(foreign: Foreign) -> Recognised | None:
    """Recognise a sum of equal shapes."""
    ins = foreign.tensors
    same = len(ins) > 1 and all(not x.constant and x.shape == ins[0].shape for x in ins)
    return Recognised(Add(), ins) if same else None


@recognises("onnx.Concat")
def onnx_concat(foreign: Foreign) -> Recognised | None:
    """Recognise a concatenation."""
    ins = foreign.tensors
    axis = foreign.get("axis") % len(ins[0].shape)
    if any(x.constant for x in ins) or axis == 0:
        return None
    return Recognised(Concat(axis=axis - 1) if len(ins) > 1 else Identity(), ins)
