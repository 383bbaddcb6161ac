"""Activation functions that look at more than one value."""

from __future__ import annotations

from math import prod

from archscope.errors import ShapeError
from archscope.ir import (
    POINTWISE,
    Call,
    Example,
    Op,
    Saved,
    Shape,
    Windows,
    call,
    free,
    moved,
)  # fmt: skip
from archscope.ops.attributes import Positive
from archscope.ops.registry import op


@op("maxout")
class Maxout(Op, frozen=True, kw_only=True):
    """Largest of each group of neighbouring channels, Goodfellow et al. 2013.

    pieces: channels in a group, of which one is left
    """

    principal = "pieces"

    pieces: Positive = 2

    def window(self, *ins: Shape) -> Windows:
        return POINTWISE

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if x[0] % self.pieces:
            raise ShapeError(
                f"'maxout' of {self.pieces} pieces needs channels divisible by it, got {x[0]}"
            )
        return x[0] // self.pieces, *x[1:]

    params = buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each channel of a group but the first."""
        return (self.pieces - 1) * prod(self.shape(*ins))

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, output=True)

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Maxout", self.pieces)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 6),)), Example(cls(pieces=5), ((10,),)))
