"""Pooling to a given output size, and over all positions."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.axes import Resample
from archscope.ir import WHOLE, Call, Example, Op, Saved, Shape, Windows, by_rank, call
from archscope.onnx_form import Value, X, floats, ints, node
from archscope.ops.attributes import Size
from archscope.ops.facts import Weightless, saves_nothing, whole
from archscope.ops.foreign import (
    Foreign,
    Recognised,
    Tensor,
    per_axis_or_one,
    recognises,
    recognises_as,
)
from archscope.ops.geometry import per_axis, short, spatial
from archscope.ops.reduce import ChannelMax, ChannelMean
from archscope.ops.registry import op


def adaptive_module(op: Op, *ins: Shape) -> Call:
    """Describe the module for the input's rank, which takes the output sizes."""
    sizes = op.shape(*ins)[1:]
    return call(op.modules[len(sizes) - 1], short(sizes))


class AdaptivePool(Weightless, frozen=True, kw_only=True):
    """The base class of pools to a given output size; not an operator itself."""

    principal = "size"
    keeps_zero = True

    size: Annotated[Size, "size of the output"]

    def window(self, *ins: Shape) -> Windows:
        sizes, outs = ins[0][1:], self.shape(*ins)[1:]
        if all(out == 1 for out in outs):
            return WHOLE
        return tuple(adaptive(size, out) for size, out in zip(sizes, outs, strict=True))

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        rank = len(spatial(x, self.name))
        return x[0], *per_axis(self.size, rank, f"size of '{self.name}'")

    torch = adaptive_module

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(size=5), ((8, 16, 16),)),
            Example(cls(size=7), ((8, 7, 7),)),
            Example(cls(size=(3, 1)), ((8, 7, 9),)),
            Example(cls(size=1), ((8, 16, 16),)),
            Example(cls(size=3), ((8, 10),)),
        )


@op("adaptive_avgpool")
class AdaptiveAvgPool(AdaptivePool, frozen=True):
    """Mean over windows chosen so that the output has the given size."""

    modules = by_rank("nn.AdaptiveAvgPool{}d")

    def elementwise(self, *ins: Shape) -> int:
        """Count the additions and one division for each of the actual windows."""
        (x,) = ins
        outs = self.shape(x)[1:]
        return x[0] * prod(map(elements_read, x[1:], outs))

    def saved(self, *ins: Shape) -> Saved:
        # For a single position torch uses the mean, whose gradient needs only sizes.
        return Saved(input=self.window(*ins) is not WHOLE)

    def onnx(self, *ins: Shape) -> Value:
        if (even := even_pool("AveragePool", ins[0], self.shape(*ins))) is not None:
            return even
        x: Value = X
        channels, *sizes = ins[0]
        for axis, (size, out) in enumerate(zip(sizes, self.shape(*ins)[1:], strict=True)):
            x = node("Reshape", x, ints(0, channels, prod(sizes[:axis]), size, -1))
            x = node("MatMul", floats(*shares(size, out)), x)
            sizes[axis] = out
        return node("Reshape", x, ints(0, channels, *sizes))


@op("adaptive_maxpool")
class AdaptiveMaxPool(AdaptivePool, frozen=True):
    """Maximum over windows chosen so that the output has the given size."""

    modules = by_rank("nn.AdaptiveMaxPool{}d")

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each value of a window except the first."""
        (x,) = ins
        out = self.shape(x)
        return x[0] * prod(map(elements_read, x[1:], out[1:])) - prod(out)

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, indices=prod(self.shape(*ins)))

    def onnx(self, *ins: Shape) -> Value:
        if (even := even_pool("MaxPool", ins[0], self.shape(*ins))) is not None:
            return even
        x: Value = X
        for axis, (size, out) in enumerate(zip(ins[0][1:], self.shape(*ins)[1:], strict=True), 2):
            windows = [adaptive_window(size, out, position) for position in range(out)]
            longest = max(map(len, windows))
            # Short windows repeat their last place, which does not change the maximum.
            places = (tuple(min(w.start + n, w.stop - 1) for n in range(longest)) for w in windows)
            x = node("Gather", x, ints(*places), axis=axis)
            x = node("ReduceMax", x, ints(axis + 1), keepdims=0)
        return x


class GlobalPool(Weightless, frozen=True, kw_only=True):
    """The base class of pools over all positions; not an operator itself."""

    keeps_zero = True

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        return x[0], *(1 for _ in spatial(x, self.name))

    window = whole
    torch = adaptive_module

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 16, 16),)),
            Example(cls(), ((8, 16),)),
            Example(cls(), ((4, 3, 4, 5),)),
        )


@op("global_avgpool")
class GlobalAvgPool(GlobalPool, frozen=True):
    """Mean over all positions of each channel."""

    modules = by_rank("nn.AdaptiveAvgPool{}d")
    saved = saves_nothing

    def onnx(self, *ins: Shape) -> Value:
        return node("GlobalAveragePool", X)

    def elementwise(self, *ins: Shape) -> int:
        """Count the additions and one division for each channel."""
        return prod(ins[0])


@op("global_maxpool")
class GlobalMaxPool(GlobalPool, frozen=True):
    """Maximum over all positions of each channel."""

    modules = by_rank("nn.AdaptiveMaxPool{}d")

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each value of a channel except the first."""
        return prod(ins[0]) - ins[0][0]

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, indices=ins[0][0])

    def onnx(self, *ins: Shape) -> Value:
        return node("GlobalMaxPool", X)


def adaptive(size: int, out: int) -> Resample:
    """Return torch's windows along an axis."""
    return Resample.between(size, out, lambda position: adaptive_window(size, out, position))


def adaptive_window(size: int, out: int, position: int) -> range:
    """Return torch's window: from floor(u * size / out) to ceil((u + 1) * size / out)."""
    return range(position * size // out, -(-(position + 1) * size // out))


def shares(size: int, out: int) -> list[tuple[float, ...]]:
    """Return the share of each input in the mean of each window."""
    windows = [adaptive_window(size, out, position) for position in range(out)]
    return [tuple((place in window) / len(window) for place in range(size)) for window in windows]


def even_pool(kind: str, x: Shape, out: Shape) -> Value | None:
    """Describe the ONNX pool if all windows have the same size, else return None."""
    if all(size == 1 for size in out[1:]):
        return node(f"Global{kind}", X)
    if any(size % count for size, count in zip(x[1:], out[1:], strict=True)):
        return None
    steps = tuple(size // count for size, count in zip(x[1:], out[1:], strict=True))
    return node(kind, X, kernel_shape=steps, strides=steps) if set(steps) != {1} else X


def elements_read(size: int, out: int) -> int:
    """Return the total number of elements in the windows of an adaptive pool, along one axis."""
    axis = adaptive(size, out)
    return sum(map(len, axis.reads)) * (out // axis.period)


recognises_as(GlobalAvgPool, "onnx.GlobalAveragePool")
recognises_as(GlobalMaxPool, "onnx.GlobalMaxPool")


@recognises("onnx.ReduceMean", "onnx.ReduceMax")
def onnx_reduction(foreign: Foreign) -> Recognised | None:
    """Recognise a mean or maximum over all positions or all channels that keeps the axes."""
    (x,) = foreign.ins
    rank, axes = len(x.shape), foreign.get("axes")
    if isinstance(axes, Tensor):  # from opset 18 on, if it is a maximum
        axes = [*axes.value]
    if not axes or not foreign.get("keepdims", 1):
        return None
    axes, mean = sorted(axis % rank for axis in axes), foreign.target == "onnx.ReduceMean"
    if axes == [1]:
        return Recognised(ChannelMean() if mean else ChannelMax(), (x,))
    if rank < 3 or axes != list(range(2, rank)):
        return None
    return Recognised(GlobalAvgPool() if mean else GlobalMaxPool(), (x,))


@recognises(
    "onnx.AdaptiveAveragePool",  # as prepared by the importer
    "aten.adaptive_avg_pool1d.default",
    "aten.adaptive_avg_pool2d.default",
    "aten.adaptive_avg_pool3d.default",
)
def adaptive_avgpool_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise average pooling to a given size."""
    size = per_axis_or_one(foreign.out[2:])
    op = GlobalAvgPool() if size == 1 else AdaptiveAvgPool(size=size)
    return Recognised(op, foreign.ins)


@recognises("aten.adaptive_max_pool1d.default", "aten.adaptive_max_pool2d.default",
            "aten.adaptive_max_pool3d.default")  # fmt: skip
def adaptive_maxpool_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's maximum pooling to a given size."""
    if foreign.get("result", 0) != 0:
        return None
    size = per_axis_or_one(foreign.out[2:])
    op = GlobalMaxPool() if size == 1 else AdaptiveMaxPool(size=size)
    return Recognised(op, foreign.ins)
