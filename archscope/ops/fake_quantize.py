"""Rounding to the few numbers that a quantised network computes with."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Shape, call
from archscope.onnx_form import Constant, Value, X, node, scalar
from archscope.ops.attributes import Count, Number, Positive
from archscope.ops.facts import Weightless, pointwise, saves_input
from archscope.ops.foreign import Foreign, Recognised, recognises, round_float
from archscope.ops.registry import op

BYTE = 256
"""The levels that ONNX's quantisation has in the opsets that every runtime knows."""


@op("fake_quantize")
class FakeQuantize(Weightless, frozen=True, kw_only=True):
    """Quantise and dequantise, Jacob et al. 2018: ONNX's QuantizeLinear and DequantizeLinear.

    Training lets gradients through between the outermost levels, as if nothing was rounded.
    """

    valuewise = keeps_zero = True

    scale: Annotated[Number, "step between neighbouring levels"]
    zero: Annotated[Count, "zero point: the number of levels below zero"] = 128
    levels: Annotated[Positive, "number of levels"] = 256

    window = pointwise

    @property
    def step(self) -> float:
        return 1 / self.levels

    def shape(self, *ins: Shape) -> Shape:
        if self.scale <= 0 or self.zero >= self.levels:
            raise ShapeError(
                f"'fake_quantize' needs a scale above 0 and a zero among its {self.levels} levels,"
                f" got scale {self.scale} and zero {self.zero}"
            )
        return ins[0]

    def elementwise(self, *ins: Shape) -> int:
        """Count a division, rounding, two shifts, two limits and a product for each element."""
        return 7 * prod(ins[0])

    saved = saves_input

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.FakeQuantize", self.scale, self.zero, self.levels)

    def onnx(self, *ins: Shape) -> Value:
        scale = scalar(self.scale)
        if self.levels == BYTE:
            zero = Constant(self.zero, "uint8")
            return node("DequantizeLinear", node("QuantizeLinear", X, scale, zero), scale, zero)
        least, most = scalar(-self.zero), scalar(self.levels - 1 - self.zero)
        return node("Mul", node("Clip", node("Round", node("Div", X, scale)), least, most), scale)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(scale=0.03), ((8, 6, 6),)),
            Example(cls(scale=0.5, zero=0, levels=16), ((10,),)),
        )


@recognises("onnx.FakeQuantize")
def onnx_fake_quantize(foreign: Foreign) -> Recognised | None:
    """Recognise a quantisation and its inverse, as the importer brings them together."""
    scale = round_float(foreign.get("scale"))
    found = FakeQuantize(scale=scale, zero=foreign.get("zero"), levels=foreign.get("levels"))
    return Recognised(found, foreign.ins)
