"""Convolutions without shared weights."""

from __future__ import annotations

from itertools import product
from math import prod
from typing import Annotated

from archscope.axes import Window
from archscope.ir import Call, Example, Saved, Shape, call
from archscope.onnx_form import Value, X, ints, node, weight
from archscope.ops.attributes import Flag
from archscope.ops.conv import Convolution
from archscope.ops.geometry import sliding, torch_pad
from archscope.ops.pad import zeros_around
from archscope.ops.registry import op


@op("locally_connected")
class LocallyConnected(Convolution, frozen=True, kw_only=True):
    """Convolution with separate weights and biases at every position, LeCun 1989."""

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

    def onnx(self, *ins: Shape) -> Value:
        (x,) = ins
        windows, positions = self.window(x), self.shape(x)[1:]
        sizes = [w.before + size + w.after for w, size in zip(windows, x[1:], strict=True)]
        steps = [prod(sizes[axis + 1 :]) for axis in range(len(sizes))]

        def place(coordinates: tuple[int, ...]) -> int:
            return sum(n * step for n, step in zip(coordinates, steps, strict=True))

        starts = product(*(range(0, n * w.stride, w.stride)
                           for n, w in zip(positions, windows, strict=True)))  # fmt: skip
        offsets = [*map(place, product(*(range(w.kernel) for w in windows)))]
        reads = ints(*(tuple(place(start) + o for o in offsets) for start in starts))
        flat = node("Reshape", zeros_around(X, windows), ints(0, x[0], -1))
        columns = node("Transpose", node("Gather", flat, reads, axis=2), perm=(2, 0, 1, 3))
        taps, spread = self.taps(x), self.taps(x) ** -0.5
        matrices = weight("weight", prod(positions), taps, self.out, spread=spread)
        results = node("MatMul", node("Reshape", columns, ints(0, 0, taps)), matrices)
        image = node("Transpose", results, perm=(1, 2, 0))
        image = node("Reshape", image, ints(0, self.out, *positions))
        biases = weight("bias", self.out, *positions, spread=spread)
        return node("Add", image, biases) if self.bias else image

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
