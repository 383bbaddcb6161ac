"""Sums, means, extremes, norms and deviations over chosen axes."""

from __future__ import annotations

from math import prod
from typing import Annotated, Any

from archscope.axes import Axis, Resample, Window
from archscope.errors import ShapeError
from archscope.ir import POINTWISE, WHOLE, Call, Example, Saved, Shape, Windows, call, text_of
from archscope.onnx_form import Value, X, floats, ints, node
from archscope.ops.adaptive_pool import GlobalAvgPool, GlobalMaxPool
from archscope.ops.attributes import Axes, Count, Flag, choice
from archscope.ops.facts import Weightless
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op
from archscope.ops.reshape import Flatten, without_axes

KINDS = {
    "mean": "ReduceMean", "sum": "ReduceSum", "max": "ReduceMax", "min": "ReduceMin",
    "l1": "ReduceL1", "l2": "ReduceL2", "prod": "ReduceProd", "logsumexp": "ReduceLogSumExp",
    "var": "", "std": "",
}  # fmt: skip
"""The functions, and their names in ONNX."""


@op("reduce")
class Reduce(Weightless, frozen=True, kw_only=True):
    """Reduce axes to one value: `reduce: {function: max, axes: [0]}` is the largest channel."""

    principal = "function"

    function: Annotated[str, choice(*KINDS), "function of the values; l1 and l2 are norms"]
    axes: Annotated[Axes | None, "axes to reduce; 0 is the channel axis; by default all others"] = (
        None
    )
    keep: Annotated[Flag, "keep the axes with one position each"] = True
    correction: Annotated[
        Count, "number to subtract from the number of values, for std and var"
    ] = 1

    @property
    def keeps_zero(self) -> bool:
        return self.function != "logsumexp"

    @property
    def may_see_less(self) -> bool:  # type: ignore[override]
        return not self.keep and self.axes is not None

    def over(self, x: Shape) -> tuple[int, ...]:
        """Return the axes to reduce, in order. Raises ShapeError."""
        axes = tuple(range(1, len(x))) if self.axes is None else tuple(sorted(self.axes))
        if not axes or len(set(axes)) < len(axes) or axes[-1] >= len(x):
            raise ShapeError(
                f"'reduce' needs different axes from 0 to {len(x) - 1} of {text_of(x)},"
                f" got {list(axes)}"
            )
        return axes

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        axes = self.over(x)
        if self.keep:
            return tuple(1 if axis in axes else size for axis, size in enumerate(x))
        if len(axes) == len(x):
            raise ShapeError(f"'reduce' of all axes of {text_of(x)} has to keep them")
        return tuple(size for axis, size in enumerate(x) if axis not in axes)

    def window(self, *ins: Shape) -> Windows:
        (x,) = ins
        axes = self.over(x)
        if axes == (0,) and self.keep:
            return POINTWISE
        if not self.keep or set(axes) >= set(range(1, len(x))):
            return WHOLE
        windows: list[Axis] = []
        for axis, size in enumerate(x[1:], start=1):
            windows.append(Resample(size, (range(size),)) if axis in axes else Window())
        return tuple(windows)

    def elementwise(self, *ins: Shape) -> int:
        """Count the operations of its formula."""
        numbers, results = prod(ins[0]), prod(self.shape(*ins))
        counts: dict[str, int] = {
            "mean": numbers,
            "l1": 2 * numbers - results,
            "l2": 2 * numbers,
            "logsumexp": 4 * numbers,
            "var": 4 * numbers,
            "std": 4 * numbers + results,
        }
        return counts.get(self.function, numbers - results)

    def saved(self, *ins: Shape) -> Saved:
        if self.function in ("mean", "sum"):
            return Saved()
        return Saved(input=True, output=self.function != "var")

    def torch(self, *ins: Shape) -> Call:
        words: dict[str, Any] = {} if self.keep else {"keep": False}
        if self.function in ("var", "std"):
            words["correction"] = self.correction
        return call("archscope.nn.Reduce", self.function, self._of_batch(ins[0]), **words)

    def _of_batch(self, x: Shape) -> tuple[int, ...]:
        return tuple(axis + 1 for axis in self.over(x))

    def onnx(self, *ins: Shape) -> Value:
        (x,) = ins
        axes = ints(*self._of_batch(x))
        keep = None if self.keep else 0
        if KINDS[self.function]:
            return node(KINDS[self.function], X, axes, keepdims=keep)
        centred = node("Sub", X, node("ReduceMean", X, axes))
        mean = node("ReduceMean", node("Mul", centred, centred), axes, keepdims=keep)
        count = prod(x[axis] for axis in self.over(x))
        variance = node("Mul", mean, floats(count / max(count - self.correction, 1)))
        return node("Sqrt", variance) if self.function == "std" else variance

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        x = (8, 6, 5)
        return (
            Example(cls(function="mean", axes=(0,)), (x,)),
            Example(cls(function="mean", axes=(2,), keep=False), (x,)),
            Example(cls(function="sum", axes=(1,)), (x,)),
            Example(cls(function="max", axes=(0,)), (x,)),
            Example(cls(function="min", axes=(0, 1), keep=False), (x,)),
            Example(cls(function="l1"), (x,)),
            Example(cls(function="prod", axes=(0,)), (x,)),
            Example(cls(function="prod", axes=(0, 2), keep=False), (x,)),
            Example(cls(function="l2", axes=(0,)), (x,)),
            Example(cls(function="logsumexp", keep=False), (x,)),
            Example(cls(function="var", correction=0), (x,)),
            Example(cls(function="std", axes=(1, 2), keep=False), (x,)),
        )


def reduced(
    function: str, foreign: Foreign, axes: Any, keep: bool, correction: int = 1
) -> Recognised | None:
    """Return a reduction of an input along axes of torch; None if they include the batch."""
    x = foreign.ins[0]
    rank = len(x.shape)
    if not isinstance(axes, list | tuple):
        axes = () if axes is None else (axes,)
    places = tuple(sorted({axis % rank for axis in axes}))
    if not places or 0 in places or foreign.get("dtype") is not None:
        return None
    pools = {"mean": GlobalAvgPool, "max": GlobalMaxPool}
    if places == tuple(range(2, rank)) and function in pools and rank <= 5:
        then = () if keep else (Flatten(),)
        return Recognised(pools[function](), (x,), then=then)
    if len(places) == rank - 1 and not keep:
        found = Reduce(function=function, axes=tuple(range(rank - 1)), correction=correction)
        return Recognised(
            found, (x,), then=without_axes((1,) * (rank - 1), found.over(x.shape[1:]))
        )
    over = None if places == tuple(range(2, rank)) else tuple(axis - 1 for axis in places)
    found = Reduce(function=function, axes=over, keep=bool(keep), correction=correction)
    return Recognised(found, (x,))


FUNCTIONS = {
    "aten.mean.dim": "mean", "aten.sum.dim_IntList": "sum", "aten.amax.default": "max",
    "aten.amin.default": "min", "aten.logsumexp.default": "logsumexp", "aten.prod.dim_int": "prod",
}  # fmt: skip


@recognises(*FUNCTIONS)
def reduction_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a reduction."""
    function = FUNCTIONS[foreign.target]
    return reduced(function, foreign, foreign.get("dim"), foreign.get("keepdim", False))


@recognises("aten.std.dim", "aten.var.dim", "aten.std.correction", "aten.var.correction")
def deviation_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a standard deviation or a variance."""
    correction = foreign.get("correction", foreign.get("unbiased", True))
    whole = 1 if correction is None else int(correction)
    if whole < 0:
        return None
    function = foreign.target.split(".")[1]
    return reduced(function, foreign, foreign.get("dim"), foreign.get("keepdim", False), whole)


@recognises("aten.linalg_vector_norm.default", "aten.norm.ScalarOpt_dim")
def norm_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a sum of absolute values and a Euclidean norm."""
    order = foreign.get("ord", foreign.get("p", 2))
    function = {None: "l2", 1: "l1", 2: "l2"}.get(order)
    if function is None:
        return None
    return reduced(function, foreign, foreign.get("dim"), foreign.get("keepdim", False))
