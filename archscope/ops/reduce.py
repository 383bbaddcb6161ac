"""Operators that leave one number for each position."""

from __future__ import annotations

from math import prod

from archscope.ir import POINTWISE, Call, Example, Op, Saved, Shape, Windows, call, free, moved
from archscope.ops.registry import op


@op("channel_mean")
class ChannelMean(Op, frozen=True, kw_only=True):
    """Mean of the channels at each position, for spatial attention, Woo et al. 2018."""

    def window(self, *ins: Shape) -> Windows:
        return POINTWISE

    def shape(self, *ins: Shape) -> Shape:
        return 1, *ins[0][1:]

    params = buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count the additions and one division for each position."""
        return prod(ins[0])

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        return Saved()

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.ChannelMean")

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 7),)), Example(cls(), ((8, 12),)), Example(cls(), ((8,),)))


@op("channel_max")
class ChannelMax(Op, frozen=True, kw_only=True):
    """Largest channel at each position, for spatial attention, Woo et al. 2018."""

    def window(self, *ins: Shape) -> Windows:
        return POINTWISE

    def shape(self, *ins: Shape) -> Shape:
        return 1, *ins[0][1:]

    params = buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each channel but the first."""
        return (ins[0][0] - 1) * prod(ins[0][1:])

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, output=True)

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.ChannelMax")

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 7),)), Example(cls(), ((8, 12),)), Example(cls(), ((8,),)))
