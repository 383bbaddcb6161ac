"""Rounding to the few levels of a quantized network."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Op, Saved, Shape, call
from archscope.onnx_form import Constant, Value, X, node, scalar, weight
from archscope.ops.attributes import Flag, Halves, Number, Positive
from archscope.ops.facts import free, moved, pointwise
from archscope.ops.foreign import Foreign, Recognised, recognises, round_float
from archscope.ops.registry import op

BYTE = 256
"""The levels of ONNX's quantization in the opsets that every runtime supports."""


@op("fake_quantize")
class FakeQuantize(Op, frozen=True, kw_only=True):
    """Quantize and dequantize, Jacob et al. 2018: ONNX's QuantizeLinear and DequantizeLinear.

    Training lets gradients through between the outermost levels, as if nothing was rounded. A
    learned step is the scale times e to the power of a weight that is 0 at first, with the gradient
    of Esser et al. 2020 (LSQ), or with two levels that of the squared error; then they also pass
    half a step beyond, and of two levels the less the farther from their middle (Liu et al. 2018).
    `zero: 1.5` and 4 levels are -1.5, -0.5, 0.5 and 1.5 steps.
    """

    valuewise = True

    scale: Annotated[Number, "step between neighbouring levels"]
    zero: Annotated[Halves, "zero point: the number of levels below zero, or a half more"] = 128
    levels: Annotated[Positive, "number of levels"] = 256
    learned: Annotated[Flag, "the step is learned, from the scale on"] = False

    buffers = macs = free
    access = moved
    window = pointwise

    @property
    def keeps_zero(self) -> bool:
        return not self.shift

    @property
    def shift(self) -> float:
        """How far the levels are from whole multiples of the step: 0 or a half."""
        return self.zero % 1

    @property
    def result_levels(self) -> int:  # type: ignore[override]
        return self.levels

    def shape(self, *ins: Shape) -> Shape:
        if self.scale <= 0 or self.zero >= self.levels:
            raise ShapeError(
                f"'fake_quantize' needs a scale above 0 and a zero among its {self.levels} levels,"
                f" got scale {self.scale} and zero {self.zero}"
            )
        return ins[0]

    def params(self, *ins: Shape) -> int:
        return int(self.learned)

    def elementwise(self, *ins: Shape) -> int:
        """Count a division, rounding, two shifts, two limits and a product for each element.

        A learned step takes an exponential and a product more.
        """
        return 7 * prod(ins[0]) + 2 * self.learned

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True)

    def torch(self, *ins: Shape) -> Call:
        words = {"learned": True} if self.learned else {}
        return call("archscope.nn.FakeQuantize", self.scale, self.zero, self.levels, **words)

    def onnx(self, *ins: Shape) -> Value:
        scale: Value = scalar(self.scale)
        if self.learned:
            scale = node("Mul", scale, node("Exp", weight("exponent", spread=0.0)))
        if self.levels == BYTE and not self.shift:
            zero = Constant(self.zero, "uint8")
            return node("DequantizeLinear", node("QuantizeLinear", X, scale, zero), scale, zero)
        places: Value = node("Div", X, scale)
        if self.shift:
            places = node("Add", places, scalar(self.shift))
        least = self.shift - self.zero
        most = least + self.levels - 1
        places = node("Clip", node("Round", places), scalar(least), scalar(most))
        if self.shift:
            places = node("Sub", places, scalar(self.shift))
        return node("Mul", places, scale)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(scale=0.03), ((8, 6, 6),)),
            Example(cls(scale=0.5, zero=0, levels=16), ((10,),)),
            Example(cls(scale=0.4, zero=1.5, levels=4), ((8, 6),)),
            Example(cls(scale=0.02, zero=127, levels=255, learned=True), ((8, 6, 6),)),
            Example(cls(scale=0.02, learned=True), ((10,),)),
        )


@recognises("onnx.FakeQuantize")
def onnx_fake_quantize(foreign: Foreign) -> Recognised | None:
    """Recognise a quantization and its inverse, as the importer brings them together."""
    scale = round_float(foreign.get("scale"))
    found = FakeQuantize(scale=scale, zero=foreign.get("zero"), levels=foreign.get("levels"))
    return Recognised(found, foreign.ins)
