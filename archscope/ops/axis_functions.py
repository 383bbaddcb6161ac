"""Functions along one axis: GLU, log-softmax, normalisation to unit length, cosine similarity."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.axes import Axis, Resample, Window
from archscope.errors import ShapeError
from archscope.ir import POINTWISE, WHOLE, Call, Example, Op, Saved, Shape, Windows, call, text_of
from archscope.onnx_form import Input, Value, X, ints, node, scalar
from archscope.ops.activation import Softmax
from archscope.ops.arithmetic import AddScalar, Sub
from archscope.ops.attributes import Count, Number
from archscope.ops.facts import Weightless
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.merge import broadcast
from archscope.ops.reduction import Reduce
from archscope.ops.registry import op
from archscope.ops.reshape import without_axes

NEGLIGIBLE = 1e-8
"""Limits of norms up to this change nothing but vectors of almost zero length."""


def checked_axis(name: str, axis: int, shape: Shape) -> int:
    """Return the axis, or raise ShapeError if the shape does not have it."""
    if axis >= len(shape):
        raise ShapeError(f"'{name}' along axis {axis} needs that axis, got {text_of(shape)}")
    return axis


def along(axis: int, shape: Shape) -> Windows:
    """Return the windows of a function of the whole of one axis."""
    if axis == 0:
        return POINTWISE
    windows: list[Axis] = []
    for place, size in enumerate(shape[1:], start=1):
        whole = Resample(size, (range(size),) * size)
        windows.append(whole if place == axis else Window())
    return tuple(windows)


class AlongAxis(Weightless, frozen=True, kw_only=True):
    """The base class of functions along one axis; not an operator itself."""

    principal = "axis"

    axis: Annotated[Count, "the axis; 0 is the channel axis"] = 0

    def window(self, *ins: Shape) -> Windows:
        return along(checked_axis(self.name, self.axis, ins[0]), ins[0])

    def shape(self, *ins: Shape) -> Shape:
        checked_axis(self.name, self.axis, ins[0])
        return ins[0]

    def torch(self, *ins: Shape) -> Call:
        return call(self.modules[0], self.axis + 1)


@op("log_softmax")
class LogSoftmax(AlongAxis, frozen=True, kw_only=True):
    """Logarithm of the softmax along an axis, by default the channels."""

    modules = ("nn.LogSoftmax",)
    nonlinear = True

    def elementwise(self, *ins: Shape) -> int:
        """Count 5 operations for each element, as for a softmax."""
        return 5 * prod(ins[0])

    def saved(self, *ins: Shape) -> Saved:
        return Saved(output=True)

    def onnx(self, *ins: Shape) -> Value:
        return node("LogSoftmax", X, axis=self.axis + 1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 5),)),
            Example(cls(axis=2), ((3, 6, 5),)),
            Example(cls(), ((10,),)),
        )


@op("glu")
class GLU(AlongAxis, frozen=True, kw_only=True):
    """The first half of an axis times the sigmoid of the second, Dauphin et al. 2017."""

    modules = ("nn.GLU",)
    nonlinear = keeps_zero = True

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        axis = checked_axis("glu", self.axis, x)
        if x[axis] % 2:
            raise ShapeError(f"'glu' needs an even size of axis {axis}, got {text_of(x)}")
        return *x[:axis], x[axis] // 2, *x[axis + 1 :]

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        if self.axis == 0:
            return POINTWISE
        half = self.shape(x)[self.axis]
        reads = tuple(range(place, place + half + 1) for place in range(half))
        pair = Resample(x[self.axis], reads)
        return tuple(pair if axis == self.axis else Window() for axis in range(1, len(x)))

    def elementwise(self, *ins: Shape) -> int:
        """Count 4 operations for a sigmoid and a product for each element of the result."""
        return 5 * prod(self.shape(*ins))

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True)

    def onnx(self, *ins: Shape) -> Value:
        half, axis = self.shape(*ins)[self.axis], ints(self.axis + 1)
        gate = node("Sigmoid", node("Slice", X, ints(half), ints(2 * half), axis))
        return node("Mul", node("Slice", X, ints(0), ints(half), axis), gate)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 5),)), Example(cls(), ((10,),)))


@op("normalize")
class Normalize(AlongAxis, frozen=True, kw_only=True):
    """Divide by the Euclidean norm along an axis, by default the channels."""

    principal = "axis"
    keeps_zero = True
    modules = ("archscope.nn.Normalize",)

    eps: Annotated[Number, "lower limit of the norm"] = 1e-12

    def elementwise(self, *ins: Shape) -> int:
        """Count the norm, its lower limit, and the division."""
        (x,) = ins
        return 3 * prod(x) + prod(x) // x[self.axis]

    def saved(self, *ins: Shape) -> Saved:
        """State the input and, for each norm, its value and its limited value."""
        (x,) = ins
        return Saved(input=True, elements=2 * prod(x) // x[self.axis])

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Normalize", self.axis + 1, self.eps)

    def onnx(self, *ins: Shape) -> Value:
        return unit_length(X, self.axis, self.eps)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 5),)),
            Example(cls(axis=1), ((3, 6),)),
            Example(cls(eps=1e-6), ((10,),)),
        )


def unit_length(x: Value, axis: int, eps: float) -> Value:
    """Describe values divided by their L2 norm along an axis, which is at least `eps`.

    ONNX's own operator has no limit. `ReduceL2` is avoided, because onnxruntime's tools cannot
    infer its shape since opset 18.
    """
    if eps <= NEGLIGIBLE:
        return node("LpNormalization", x, axis=axis + 1, p=2)
    norm = node("Sqrt", node("ReduceSum", node("Mul", x, x), ints(axis + 1)))
    return node("Div", x, node("Max", norm, scalar(eps)))


@op("cosine_similarity")
class CosineSimilarity(AlongAxis, frozen=True, kw_only=True):
    """Cosine of the angle between two inputs along an axis, which is reduced to one position."""

    arity = (2, 2)
    keeps_zero = may_see_less = True

    eps: Annotated[Number, "lower limit of the norm"] = 1e-8

    def shape(self, *ins: Shape) -> Shape:
        x = broadcast("cosine_similarity", ins)
        axis = checked_axis("cosine_similarity", self.axis, x)
        return *x[:axis], 1, *x[axis + 1 :]

    def window(self, *ins: Shape) -> Windows:
        return POINTWISE if self.axis == 0 else WHOLE

    def elementwise(self, *ins: Shape) -> int:
        """Count both norms, their limits, both divisions, and the sum of the products."""
        whole, results = prod(broadcast("cosine_similarity", ins)), prod(self.shape(*ins))
        norms = sum(2 * prod(x) + prod(x) // x[self.axis] + prod(x) for x in ins)
        return norms + 2 * whole - results

    def saved(self, *ins: Shape) -> Saved:
        """State the inputs, their normalised values, and their norms before and after limiting."""
        norms = sum(prod(x) // x[self.axis] for x in ins)
        return Saved(input=True, elements=2 * norms + sum(map(prod, ins)))

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.CosineSimilarity", self.axis + 1, self.eps)

    def onnx(self, *ins: Shape) -> Value:
        units = (unit_length(x, self.axis, self.eps) for x in (Input(0), Input(1)))
        return node("ReduceSum", node("Mul", *units), ints(self.axis + 1))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 5), (8, 6, 5))),
            Example(cls(), ((10,), (10,))),
        )


@recognises("aten.log_softmax.int", "aten._log_softmax.default")
def log_softmax_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the logarithm of a softmax along an axis of the image."""
    axis = foreign.args["dim"] % len(foreign.out)
    return Recognised(LogSoftmax(axis=axis - 1), foreign.ins) if axis else None


@recognises("aten.softmax.int", "aten._softmax.default")
def softmax_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a softmax along an axis of the image."""
    axis = foreign.args["dim"] % len(foreign.out)
    return Recognised(Softmax(axis=axis - 1), foreign.ins) if axis else None


@recognises("aten.glu.default")
def glu_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a gated linear unit along an axis of the image."""
    axis = foreign.args["dim"] % len(foreign.out)
    return Recognised(GLU(axis=axis - 1), foreign.ins) if axis else None


@recognises("onnx.LpNormalization")
def onnx_lp_normalization(foreign: Foreign) -> Recognised | None:
    """Recognise normalisation to unit length in L2 along an axis of the image."""
    axis = foreign.get("axis", -1) % len(foreign.out)
    if axis == 0 or foreign.get("p", 2) != 2:
        return None
    return Recognised(Normalize(axis=axis - 1), foreign.ins)


@recognises("archscope.normalize.default")
def normalize_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise normalisation to unit length along an axis, as prepared by the importer."""
    axis = foreign.args["dim"] % len(foreign.out)
    found = Normalize(axis=axis - 1, eps=foreign.args["eps"])
    return Recognised(found, foreign.ins) if axis else None


@recognises("aten.cosine_similarity.default")
def cosine_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the cosine similarity of two tensors, which removes the axis."""
    a, b = foreign.args["x1"], foreign.args["x2"]
    if len(foreign.ins) != 2 or len(a.shape) != len(b.shape):
        return None
    axis = foreign.args["dim"] % len(a.shape)
    found = CosineSimilarity(axis=axis - 1, eps=foreign.args["eps"])
    then = without_axes(found.shape(a.shape[1:], b.shape[1:]), (axis - 1,)) if axis else ()
    return Recognised(found, (a, b), then=then) if axis else None


@recognises("aten.pairwise_distance.default")
def pairwise_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise the norm of a difference along the last axis."""
    a, b, order = foreign.args["x1"], foreign.args["x2"], foreign.args["p"]
    function = {1: "l1", 2: "l2"}.get(order)
    if len(foreign.ins) != 2 or a.shape != b.shape or function is None or len(a.shape) < 2:
        return None
    last = len(a.shape) - 2
    then: list[Op] = [AddScalar(value=foreign.args["eps"]), Reduce(function=function, axes=(last,))]
    if not foreign.args["keepdim"]:
        then += without_axes((*a.shape[1:-1], 1), (last,))
    return Recognised(Sub(), (a, b), then=tuple(then))
