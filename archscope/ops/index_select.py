"""Select indices along an axis, and concatenate learned tensors."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Annotated, Any

from archscope.axes import Resample, Window
from archscope.errors import ShapeError
from archscope.ir import POINTWISE, Call, Example, Op, Shape, Windows, call, text_of
from archscope.onnx_form import Value, X, floats, ints, node, weight
from archscope.ops.attributes import COUNT, Count, Flag, TensorShape, list_of
from archscope.ops.facts import Rearrangement, free, moved, saves_nothing
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises
from archscope.ops.registry import op
from archscope.ops.reshape import Reshape, without_axes

MOST = 1 << 16
Places = Annotated[tuple[int, ...], list_of(COUNT, MOST, "whole numbers of at least 0")]


@op("index_select")
class IndexSelect(Rearrangement, frozen=True, kw_only=True):
    """Select indices along an axis: `index_select: [2, 1, 0]` turns RGB into BGR."""

    principal = "index"

    index: Annotated[Places, "indices in the order of the output"]
    axis: Annotated[Count, "the axis; 0 is the channel axis"] = 0

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if self.axis >= len(x) or max(self.index) >= x[self.axis]:
            raise ShapeError(
                f"'index_select' of place {max(self.index)} along axis {self.axis} does not lie"
                f" within {text_of(x)}"
            )
        return *x[: self.axis], len(self.index), *x[self.axis + 1 :]

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        if self.axis == 0:
            return POINTWISE
        along = Resample(x[self.axis], tuple(range(at, at + 1) for at in self.index))
        return tuple(along if axis == self.axis else Window() for axis in range(1, len(x)))

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.IndexSelect", self.index, self.axis + 1)

    def onnx(self, *ins: Shape) -> Value:
        return node("Gather", X, ints(*self.index), axis=self.axis + 1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(index=(2, 1, 0)), ((3, 6, 5),)),
            Example(cls(index=(0, 3, 1), axis=1), ((3, 6, 5),)),
        )


@op("concat_learned")
class ConcatLearned(Op, frozen=True, kw_only=True):
    """Concatenate the input with a learned tensor: coordinates, tokens, a background."""

    principal = "size"
    keeps_zero = False

    size: Annotated[TensorShape, "shape of the tensor: that of the input except along the axis"]
    axis: Annotated[Count, "the axis; 0 is the channel axis"] = 0
    before: Annotated[Flag, "put the tensor before the input"] = False
    fixed: Annotated[Flag, "the tensor is a constant: a buffer, which is not trained"] = False

    macs = elementwise = free
    access = moved
    saved = saves_nothing

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        axis = self.axis
        rest = (*self.size[:axis], *self.size[axis + 1 :])
        same = len(x) == len(self.size) and rest == (*x[:axis], *x[axis + 1 :])
        if axis >= len(x) or not same:
            raise ShapeError(
                f"'concat_learned' along axis {axis} needs a tensor like its input {text_of(x)} but"
                f" for that axis, got {text_of(self.size)}"
            )
        return *x[:axis], x[axis] + self.size[axis], *x[axis + 1 :]

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        if self.axis == 0:
            return POINTWISE
        count = self.size[self.axis]
        along = Window(before=count) if self.before else Window(after=count)
        return tuple(along if axis == self.axis else Window() for axis in range(1, len(x)))

    def params(self, *ins: Shape) -> int:
        return 0 if self.fixed else prod(self.size)

    def buffers(self, *ins: Shape) -> int:
        return prod(self.size) if self.fixed else 0

    def torch(self, *ins: Shape) -> Call:
        words = {name: True for name in ("before", "fixed") if getattr(self, name)}
        return call("archscope.nn.ConcatLearned", self.axis + 1, *self.size, **words)

    def onnx(self, *ins: Shape) -> Value:
        held = weight("weight", *self.size, spread=0.0, learned=not self.fixed)
        part = node("Slice", X, ints(0), ints(1), ints(self.axis + 1))
        zeros = node("Mul", part, floats(0.0))
        for_each = node("Add", zeros, held)  # a constant has no batch
        return node(
            "Concat", *((for_each, X) if self.before else (X, for_each)), axis=self.axis + 1
        )

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(size=(2, 6, 5), fixed=True), ((3, 6, 5),)),
            Example(cls(size=(4, 1), axis=1, before=True), ((4, 6),)),
        )


def attached(tensors: list[Tensor], axis: int) -> Recognised | None:
    """Return an input concatenated with a constant or learned tensor, else None."""
    places = [place for place, tensor in enumerate(tensors) if not tensor.constant]
    if len(places) != 1 or len(tensors) != 2:
        return None
    x, held = tensors[places[0]], tensors[1 - places[0]]
    shape = (1,) * (len(x.shape) - len(held.shape)) + held.shape
    if shape[0] != 1 or isinstance(held.value, int | float):
        return None
    found = ConcatLearned(
        size=shape[1:], axis=axis - 1, before=places[0] == 1, fixed=not held.learned
    )
    return Recognised(found, (x,), {"weight": held})


@recognises("aten.index.Tensor", "aten.index_select.default")
def index_select_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise constant indices along one axis."""
    x = foreign.ins[0]
    if foreign.target == "aten.index_select.default":
        axis, places = foreign.args["dim"] % len(x.shape), foreign.args["index"]
    else:
        given = [(axis, at) for axis, at in enumerate(foreign.args["indices"]) if at is not None]
        if len(given) != 1 or len(getattr(given[0][1], "shape", ())) > 1:
            return _pairs(x, given, foreign.out)
        ((axis, places),) = given
    known: Any = places.value if isinstance(places, Tensor) and places.constant else None
    if isinstance(known, int) and not isinstance(known, bool):  # a single number
        known = (known,)
    if axis == 0 or not isinstance(known, tuple) or not known:
        return None
    if not all(type(at) is int for at in known):
        return None
    size = x.shape[axis]
    found = IndexSelect(index=tuple(at % size for at in known), axis=axis - 1)
    shape = found.shape(x.shape[1:])
    gone = without_axes(shape, (axis - 1,)) if len(foreign.out) < len(x.shape) else ()
    return Recognised(found, (x,), then=gone)


@recognises("aten.diagonal.default")
def diagonal_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the diagonal of the last two axes."""
    (x,) = foreign.ins
    rank = len(x.shape)
    axes = [foreign.args[word] % rank for word in ("dim1", "dim2")]
    if sorted(axes) != [rank - 2, rank - 1] or rank < 3 or foreign.args["offset"]:
        return None
    height, width = x.shape[-2:]
    flat = Reshape(size=(*x.shape[1:-2], height * width))
    places = tuple(place * (width + 1) for place in range(min(height, width)))
    return Recognised(flat, (x,), then=(IndexSelect(index=places, axis=rank - 3),))


def _pairs(x: Tensor, given: list[tuple[int, Any]], out: Shape) -> Recognised | None:
    """Return known places along axes that stand beside each other, which become one.

    A table of places along a single axis gives as many axes as it has.
    """
    axes = [axis for axis, _ in given]
    first, last = axes[0], axes[-1]
    tables = [table_of(at) for _, at in given]
    if first == 0 or axes != [*range(first, last + 1)] or None in tables:
        return None
    sizes = x.shape[first : last + 1]
    spread = out[first : len(out) - (len(x.shape) - last - 1)]
    index = []
    for place in product(*map(range, spread)):
        at = 0
        for (shape, numbers), size in zip(tables, sizes, strict=True):  # type: ignore[misc]
            own = 0
            for step, wide in zip(place[len(place) - len(shape) :], shape, strict=True):
                own = own * wide + (step if wide > 1 else 0)
            at = at * size + numbers[own] % size
        index.append(at)
    if not 0 < len(index) <= MOST:
        return None
    before, after = x.shape[1:first], x.shape[last + 1 :]
    steps: list[Op] = [IndexSelect(index=tuple(index), axis=first - 1)]
    if len(axes) > 1:
        steps.insert(0, Reshape(size=(*before, prod(sizes), *after)))
    if len(spread) > 1:
        steps.append(Reshape(size=out[1:]))
    return Recognised(steps[0], (x,), then=tuple(steps[1:]))


def table_of(places: Any) -> tuple[Shape, tuple[int, ...]] | None:
    """Return the shape and the numbers of known places, None for anything else."""
    if not isinstance(places, Tensor) or not places.constant or places.value is None:
        return None
    numbers: Any = places.value
    for _ in places.shape[1:]:
        numbers = tuple(number for row in numbers for number in row)
    numbers = numbers if isinstance(numbers, tuple) else (numbers,)
    return (places.shape, numbers) if all(type(at) is int for at in numbers) else None
