"""Gather values at computed indices, and encode indices as one-hot vectors."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from archscope.errors import ShapeError
from archscope.ir import POINTWISE, WHOLE, Example, Op, Saved, Shape, Windows, text_of
from archscope.onnx_form import Input, Value, X, floats, ints, node
from archscope.ops.attributes import RANK, Positive
from archscope.ops.axis_functions import AlongAxis, checked_axis
from archscope.ops.facts import Weightless, free, saves_nothing, whole
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises
from archscope.ops.index_select import IndexSelect, table_of
from archscope.ops.layout import Permute
from archscope.ops.reduction import Reduce
from archscope.ops.registry import op
from archscope.ops.scale import MulScalar

INT64 = 7
"""ONNX's number of the type int64."""


@op("gather_elements")
class Gather(AlongAxis, frozen=True, kw_only=True):
    """Gather values of the first input along an axis, at the indices in the second input.

    The second input has the same number of axes, and may be shorter along each. `argmax` and
    `argsort` yield such indices.
    """

    arity = (2, 2)
    modules = ("archscope.nn.Gather",)
    without_slope = (1,)
    keeps_zero = may_see_less = True
    elementwise = free

    def is_zero(self, *zero: bool) -> bool:
        return zero[0]

    def shape(self, *ins: Shape) -> Shape:
        x, index = ins
        axis = checked_axis("gather_elements", self.axis, x)
        rest = [*zip(x, index, strict=False)]
        fits = len(x) == len(index) and all(
            few <= many for place, (many, few) in enumerate(rest) if place != axis
        )
        if not fits:
            raise ShapeError(
                f"'gather_elements' along axis {axis} needs places for some of {text_of(x)},"
                f" got {text_of(index)}"
            )
        return index

    def window(self, *ins: Shape) -> Windows:
        """Return the whole input if it gathers positions, as any of them may be selected."""
        return POINTWISE if self.axis == 0 and ins[0][1:] == ins[1][1:] else WHOLE

    def saved(self, *ins: Shape) -> Saved:
        """State the indices; torch also keeps the input, for its shape."""
        return Saved(indices=prod(ins[1]), elements=prod(ins[0]))

    def onnx(self, *ins: Shape) -> Value:
        return node("GatherElements", X, node("Cast", Input(1), to=INT64), axis=self.axis + 1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 5), (2, 6, 5)), positive=True),
            Example(cls(axis=1), ((3, 8), (3, 4)), positive=True),
            Example(cls(axis=2), ((3, 4, 8), (2, 3, 9)), positive=True),
        )


@op("one_hot")
class OneHot(Weightless, frozen=True, kw_only=True):
    """One-hot encoding along a new last axis."""

    principal = "classes"
    modules = ("archscope.nn.OneHot",)
    known_to_tools = False  # ptflops measures with images that are no classes
    without_slope = (0,)
    may_see_less = True

    classes: Annotated[Positive, "number of classes; values are integers below it"]

    saved = saves_nothing
    window = whole

    @property
    def vocabulary(self) -> int:
        return self.classes

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if len(x) >= RANK:
            raise ShapeError(f"'one_hot' makes one of {len(x) + 1} axes of {text_of(x)}")
        return *x, self.classes

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each element of the result."""
        return prod(self.shape(*ins))

    def onnx(self, *ins: Shape) -> Value:
        places = node("Cast", X, to=INT64)
        return node("OneHot", places, ints(self.classes), floats(0.0, 1.0), axis=-1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(classes=8), ((6, 5),), positive=True),
            Example(cls(classes=6), ((4,),), positive=True),
        )


def _places(value: Any, x: Tensor) -> bool:
    """Return whether a value is an index tensor for an input, with the same axes."""
    return isinstance(value, Tensor) and not value.constant and len(value.shape) == len(x.shape)


def _known_places(index: Tensor, axis: int) -> tuple[int, ...]:
    """Return the numbers of a constant index that are the same along all other axes, else ()."""
    table = table_of(index)
    if table is None:
        return ()
    shape, numbers = table
    behind, found = prod(shape[axis + 1 :]), []
    for place in range(shape[axis]):
        own = {at for i, at in enumerate(numbers) if i // behind % shape[axis] == place}
        if len(own) != 1:
            return ()
        found.append(own.pop())
    return tuple(found)


@recognises("aten.gather.default", "aten.take_along_dim.default")
def gather_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise gathering at computed indices along an axis of the image."""
    x = foreign.args["self"]
    index, dim = foreign.get("index", foreign.get("indices")), foreign.get("dim")
    axis = 0 if dim is None else dim % len(x.shape)
    if axis == 0 or x.constant:
        return None
    if isinstance(index, Tensor) and index.constant:
        known = _known_places(index, axis)
        whole = foreign.out == (*x.shape[:axis], len(known), *x.shape[axis + 1 :])
        found = IndexSelect(index=known, axis=axis - 1) if known and whole else None
        return Recognised(found, (x,)) if found else None
    if not _places(index, x):
        return None
    broadcasts = "along" in foreign.target and foreign.out != index.shape
    return None if broadcasts else Recognised(Gather(axis=axis - 1), (x, index))


@recognises("aten.scatter.value")
def marks_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a number at computed places among zeros: the mask of a hard attention."""
    x, index, dim = (foreign.args[word] for word in ("self", "index", "dim"))
    value, axis = foreign.args["value"], dim % len(foreign.out)
    zeros = x.constant and x.value == 0 and isinstance(x.value, int | float)
    others = [*zip(index.shape, x.shape, strict=True)]
    whole = all(a == b for place, (a, b) in enumerate(others) if place != axis)
    if not zeros or axis == 0 or index.constant or not whole:
        return None
    rank = len(x.shape) - 1
    rest = [place for place in range(rank) if place != axis - 1]  # behind which the classes come
    order = tuple(rank - 1 if place == axis - 1 else rest.index(place) for place in range(rank))
    then: list[Op] = [Reduce(function="max", axes=(axis - 1,), keep=False)]
    if order != tuple(range(rank)):
        then.append(Permute(order=order))
    if value != 1:
        then.append(MulScalar(factor=float(value)))
    return Recognised(OneHot(classes=x.shape[axis]), (index,), then=tuple(then))


@recognises("aten.one_hot.default")
def one_hot_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise one-hot vectors with a known number of classes."""
    classes = foreign.get("num_classes", -1)
    if classes < 1 or len(foreign.out) < 2:
        return None
    return Recognised(OneHot(classes=classes), foreign.ins)
