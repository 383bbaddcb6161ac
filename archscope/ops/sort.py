"""Sorting along an axis, the indices of the order, and the index of the largest value."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from archscope.axes import Axis, Resample, Window
from archscope.errors import ShapeError
from archscope.ir import POINTWISE, WHOLE, Call, Example, Op, Saved, Shape, Windows, call, text_of
from archscope.onnx_form import OnnxNode, Value, X, ints, node
from archscope.ops.attributes import Flag, Positive
from archscope.ops.axis_functions import AlongAxis, checked_axis
from archscope.ops.facts import saves_nothing
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.layout import Select
from archscope.ops.reduction import reduced
from archscope.ops.registry import op
from archscope.ops.reshape import Slice, without_axes

FLOAT = 1
"""ONNX's number of the type float32."""


class Ordered(AlongAxis, frozen=True, kw_only=True):
    """The base class of sorting along an axis; not an operator itself."""

    nonlinear = True

    descending: Annotated[Flag, "largest value first"] = False
    k: Annotated[Positive | None, "number of values to keep; by default all"] = None

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        size = x[checked_axis(self.name, self.axis, x)]
        if self.k is not None and self.k > size:
            raise ShapeError(
                f"'{self.name}' keeps {self.k} values of axis {self.axis}, which has only {size},"
                f" got {text_of(x)}"
            )
        return *x[: self.axis], size if self.k is None else self.k, *x[self.axis + 1 :]

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        if self.axis == 0:
            return POINTWISE
        windows: list[Axis] = [Window()] * (len(x) - 1)
        size, kept = x[self.axis], self.shape(x)[self.axis]
        windows[self.axis - 1] = Resample(size, (range(size),) * kept)
        return tuple(windows)

    def saved(self, *ins: Shape) -> Saved:
        return Saved(indices=prod(self.shape(*ins)))

    def elementwise(self, *ins: Shape) -> int:
        """Count n log2(n) comparisons for n values, rounded up; one per value with a `k`."""
        (x,) = ins
        return prod(x) * (1 if self.k is not None else (x[self.axis] - 1).bit_length())

    def torch(self, *ins: Shape) -> Call:
        words: dict[str, Any] = {"descending": True} if self.descending else {}
        if self.k is not None:
            words["k"] = self.k
        return call(self.modules[0], self.axis + 1, **words)

    def in_order(self, x: Shape) -> OnnxNode:
        """Describe the ONNX operator, whose second result is the indices."""
        kept = ints(self.shape(x)[self.axis])
        return node("TopK", X, kept, axis=self.axis + 1, largest=int(self.descending))


@op("sort")
class Sort(Ordered, frozen=True, kw_only=True):
    """Sort the values along an axis; with `k`, keep the first k, like torch's topk.

    `sort: {axis: 1, descending: true, k: 5}` yields the five largest values along an axis.
    """

    modules = ("archscope.nn.Sort",)
    keeps_zero = True

    def onnx(self, *ins: Shape) -> Value:
        return self.in_order(ins[0])

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((5, 6, 7),)),
            Example(cls(axis=1, descending=True), ((8, 2, 3),)),
            Example(cls(descending=True, k=3), ((8, 6),)),
            Example(cls(k=2), ((10,),)),
        )


@op("argsort")
class ArgSort(Ordered, frozen=True, kw_only=True):
    """Indices that sort the values along an axis; with `k`, only the first k.

    They are 8-byte integers in torch, and float32 in an exported ONNX file.
    """

    modules = ("archscope.nn.ArgSort",)
    without_slope = (0,)

    def onnx(self, *ins: Shape) -> Value:
        return node("Cast", self.in_order(ins[0]).result(1), to=FLOAT)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((5, 6, 7),)),
            Example(cls(axis=1, descending=True, k=3), ((2, 6),)),
        )


@op("argmax")
class ArgMax(AlongAxis, frozen=True, kw_only=True):
    """Index of the largest or smallest value along an axis.

    It is an 8-byte integer in torch, and float32 in an exported ONNX file.
    """

    nonlinear = keeps_zero = may_see_less = True
    without_slope = (0,)

    keep: Annotated[Flag, "keep the axis with one position"] = True
    smallest: Annotated[Flag, "index of the smallest value, as torch's argmin"] = False

    saved = saves_nothing

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        axis = checked_axis("argmax", self.axis, x)
        if not self.keep and len(x) == 1:
            raise ShapeError(f"'argmax' of the only axis of {text_of(x)} has to keep it")
        return *x[:axis], *((1,) if self.keep else ()), *x[axis + 1 :]

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        if not self.keep:
            return WHOLE
        if self.axis == 0:
            return POINTWISE
        windows: list[Axis] = [Window()] * (len(x) - 1)
        size = x[checked_axis("argmax", self.axis, x)]
        windows[self.axis - 1] = Resample(size, (range(size),))
        return tuple(windows)

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each value except the first along the axis."""
        return prod(ins[0]) - prod(ins[0]) // ins[0][self.axis]

    def torch(self, *ins: Shape) -> Call:
        words = {} if self.keep else {"keep": False}
        words |= {"smallest": True} if self.smallest else {}
        return call("archscope.nn.ArgMax", self.axis + 1, **words)

    def onnx(self, *ins: Shape) -> Value:
        kind = "ArgMin" if self.smallest else "ArgMax"
        place = node(kind, X, axis=self.axis + 1, keepdims=int(self.keep))
        return node("Cast", place, to=FLOAT)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 5),)),
            Example(cls(axis=1, keep=False), ((3, 6, 5),)),
            Example(cls(smallest=True), ((10,),)),
        )


def _axis(foreign: Foreign, default: int | None = -1) -> int | None:
    """Return the axis of a function in the image; None if it is the batch."""
    dim = foreign.get("dim", default)
    axis = None if dim is None else dim % len(foreign.ins[0].shape)
    return axis - 1 if axis else None


def _ordered(
    foreign: Foreign, axis: int | None, descending: bool, k: int | None
) -> Recognised | None:
    """Return the sorted values or, if these are used, the indices."""
    if axis is None:
        return None
    cls = ArgSort if foreign.get("result", 0) == 1 else Sort
    return Recognised(cls(axis=axis, descending=descending, k=k), foreign.ins)


@recognises("aten.sort.default", "aten.sort.stable", "aten.msort.default")
def sort_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a sort along an axis of the image."""
    default = 0 if foreign.target == "aten.msort.default" else -1
    return _ordered(foreign, _axis(foreign, default), bool(foreign.get("descending")), None)


@recognises("aten.topk.default")
def topk_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the largest or smallest values along an axis of the image."""
    largest = bool(foreign.get("largest", True))
    return _ordered(foreign, _axis(foreign), largest, foreign.args["k"])


@recognises("aten.argsort.default", "aten.argsort.stable")
def argsort_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the indices of a sort along an axis of the image."""
    axis = _axis(foreign)
    found = None if axis is None else ArgSort(axis=axis, descending=bool(foreign.get("descending")))
    return None if found is None else Recognised(found, foreign.ins)


@recognises("aten.kthvalue.default", "aten.median.dim")
def kth_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the k-th value or its index; a median is the lower of two."""
    axis = _axis(foreign)
    if axis is None:
        return None
    x = foreign.ins[0].shape[1:]
    k = foreign.get("k", (x[axis] - 1) // 2 + 1)
    cls = ArgSort if foreign.get("result", 0) == 1 else Sort
    then: tuple[Op, ...] = (Slice(start=k - 1, stop=k, axis=axis),)
    if not foreign.get("keepdim", False):
        then = (
            (Select(index=k - 1, axis=axis),) if len(x) > 1 else (*then, *without_axes((1,), (0,)))
        )
    return Recognised(cls(axis=axis, k=k), foreign.ins, then=then)


@recognises("aten.argmax.default", "aten.argmin.default")
def argmax_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the index of the largest or smallest value along an axis of the image."""
    axis = _axis(foreign, None)
    if axis is None:
        return None
    smallest, x = "argmin" in foreign.target, foreign.ins[0].shape[1:]
    keep = bool(foreign.get("keepdim", False))
    if keep or len(x) > 1:
        return Recognised(ArgMax(axis=axis, keep=keep, smallest=smallest), foreign.ins)
    return Recognised(ArgMax(smallest=smallest), foreign.ins, then=without_axes((1,), (0,)))


@recognises("aten.max.dim", "aten.min.dim")
def extreme_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the largest or smallest value along an axis of the image, or its index."""
    name = foreign.target.split(".")[1]
    if foreign.get("result", 0) == 0:
        return reduced(name, foreign, foreign.get("dim"), foreign.get("keepdim", False))
    return argmax_of_torch(Foreign(f"aten.arg{name}.default", foreign.args, foreign.out))
