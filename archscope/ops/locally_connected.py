"""Convolutions without shared weights."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.axes import Window
from archscope.ir import Call, Example, Saved, Shape, call
from archscope.ops.attributes import Flag
from archscope.ops.conv import Convolution
from archscope.ops.geometry import sliding, torch_pad
from archscope.ops.registry import op


@op("locally_connected")
class LocallyConnected(Convolution, frozen=True, kw_only=True):
    """Convolution with weights and biases of their own at every position, LeCun 1989."""

    modules = ("archscope.nn.LocallyConnected",)

    bias: Annotated[Flag, "add a learned bias to each output value"] = True

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        return sliding("locally_connected", ins[0], self.kernel, self.stride, self.padding)

    def params(self, *ins: Shape) -> int:
        return prod(self.shape(*ins)) * (self.taps(ins[0]) + self.bias)

    def biases(self, *ins: Shape) -> int:
        return prod(self.shape(*ins)) if self.bias else 0

    def saved(self, *ins: Shape) -> Saved:
        """Count the columns: a copy of the input for each position that reads it."""
        return Saved(elements=prod(self.shape(*ins)[1:]) * self.taps(ins[0]))

    def torch(self, *ins: Shape) -> Call:
        (x,) = ins
        windows = self.window(x)
        return call(
            "archscope.nn.LocallyConnected",
            x[0],
            self.out,
            self.shape(x)[1:],
            tuple(w.kernel for w in windows),
            stride=tuple(w.stride for w in windows),
            pad=torch_pad(windows),
            bias=self.bias,
        )

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(out=6, kernel=3, padding=1), ((4, 8, 8),)),
            Example(cls(out=6, kernel=3, stride=2, bias=False), ((4, 9, 11),)),
            Example(cls(out=5, kernel=2, padding="same"), ((3, 6, 7),)),
            Example(cls(out=4), ((3, 5, 5),)),
            Example(cls(out=4, kernel=3), ((3, 10),)),
            Example(cls(out=2, kernel=2, stride=2), ((2, 4, 4, 6),)),
        )
