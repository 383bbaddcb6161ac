"""Reductions over channels: mean, maximum and maxima of groups."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import Example, Saved, Shape
from archscope.onnx_form import Value, X, ints, node
from archscope.ops.attributes import Positive
from archscope.ops.facts import Weightless, pointwise, saves_nothing
from archscope.ops.foreign import recognises_as
from archscope.ops.registry import op


class OverChannels(Weightless, frozen=True):
    """The base class of reductions to one channel; not an operator itself."""

    keeps_zero = True

    window = pointwise

    def shape(self, *ins: Shape) -> Shape:
        return 1, *ins[0][1:]

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 7),)), Example(cls(), ((8, 12),)), Example(cls(), ((8,),)))


@op("channel_mean")
class ChannelMean(OverChannels, frozen=True, kw_only=True):
    """Mean over the channels at each position, for spatial attention, Woo et al. 2018."""

    modules = ("archscope.nn.ChannelMean",)

    def elementwise(self, *ins: Shape) -> int:
        """Count the additions and one division for each position."""
        return prod(ins[0])

    saved = saves_nothing

    def onnx(self, *ins: Shape) -> Value:
        return node("ReduceMean", X, ints(1))


@op("channel_max")
class ChannelMax(OverChannels, frozen=True, kw_only=True):
    """Maximum over the channels at each position, for spatial attention, Woo et al. 2018."""

    modules = ("archscope.nn.ChannelMax",)

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each channel except the first."""
        return (ins[0][0] - 1) * prod(ins[0][1:])

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, output=True)

    def onnx(self, *ins: Shape) -> Value:
        return largest_of_each(ins[0], ins[0][0])


@op("maxout")
class Maxout(Weightless, frozen=True, kw_only=True):
    """Maximum over each group of neighbouring channels, Goodfellow et al. 2013."""

    principal = "pieces"
    modules = ("archscope.nn.Maxout",)
    nonlinear = keeps_zero = True

    pieces: Annotated[Positive, "number of channels in a group, of which the largest is kept"] = 2

    window = pointwise

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if x[0] % self.pieces:
            raise ShapeError(
                f"'maxout' of {self.pieces} pieces needs channels divisible by it, got {x[0]}"
            )
        return x[0] // self.pieces, *x[1:]

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each channel of a group except the first."""
        return (self.pieces - 1) * prod(self.shape(*ins))

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, output=True)

    def onnx(self, *ins: Shape) -> Value:
        return largest_of_each(ins[0], self.pieces)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 6),)), Example(cls(pieces=5), ((10,),)))


def largest_of_each(x: Shape, pieces: int) -> Value:
    """Describe the maximum of each group of channels in ONNX.

    It is a pool, because onnxruntime's tools cannot infer the shape of `ReduceMax` since opset 18.
    """
    channels, *sizes = x
    rows = node("Reshape", X, ints(0, channels // pieces, pieces, prod(sizes)))
    pooled = node("MaxPool", rows, kernel_shape=(pieces, 1))
    return node("Reshape", pooled, ints(0, channels // pieces, *sizes))


recognises_as(Maxout, "onnx.Maxout", pieces="pieces")
