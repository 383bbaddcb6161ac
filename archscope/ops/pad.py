"""Zeros around a feature map, as an operator of its own."""

from __future__ import annotations

from typing import Annotated

from archscope.axes import Window
from archscope.ir import Call, Example, Shape, by_rank, call
from archscope.onnx_form import Value, X, ints, node
from archscope.ops.attributes import Padding
from archscope.ops.facts import Rearrangement
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.geometry import short, slid, sliding, torch_pad
from archscope.ops.registry import op


@op("pad")
class Pad(Rearrangement, frozen=True, kw_only=True):
    """Put zeros around a feature map; convolutions and pools can pad for themselves."""

    principal = "padding"
    modules = by_rank("nn.ZeroPad{}d")

    padding: Annotated[Padding, "zeros around the input"]

    def window(self, *ins: Shape) -> tuple[Window, ...]:
        return sliding(self.name, ins[0], 1, 1, self.padding)

    def is_identity(self, *ins: Shape) -> bool:
        return not any(torch_pad(self.window(*ins)))

    def shape(self, *ins: Shape) -> Shape:
        return ins[0][0], *slid(self.window(*ins), ins[0])

    def torch(self, *ins: Shape) -> Call:
        windows = self.window(*ins)
        return call(self.modules[len(windows) - 1], torch_pad(windows))

    def onnx(self, *ins: Shape) -> Value:
        return zeros_around(X, self.window(*ins))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(padding=2), ((8, 6, 7),)),
            Example(cls(padding=((0, 1), (2, 0))), ((3, 8, 8),)),
            Example(cls(padding=((1, 3),)), ((4, 9),)),
            Example(cls(padding=1), ((2, 4, 5, 6),)),
        )


def zeros_around(x: Value, windows: tuple[Window, ...]) -> Value:
    """Describe a value with the padding of windows around it, in ONNX."""
    pads = (0, 0, *(w.before for w in windows), 0, 0, *(w.after for w in windows))
    return node("Pad", x, ints(*pads)) if any(pads) else x


@recognises("aten.pad.default", "aten.constant_pad_nd.default")
def pad_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise zeros around all positions."""
    (x,) = foreign.ins
    if foreign.get("mode", "constant") != "constant" or foreign.get("value"):
        return None
    pads = zeros_of_torch(foreign)
    return Recognised(Pad(padding=short(pads)), (x,)) if pads else None


def zeros_of_torch(foreign: Foreign) -> tuple[tuple[int, int], ...] | None:
    """Return the zeros before and after each axis; None if others than positions get them."""
    pads, axes = tuple(foreign.args["pad"]), len(foreign.ins[0].shape) - 2
    pairs = [*zip(pads[::2], pads[1::2], strict=True)][::-1]  # torch has the last axis first
    if min(pads) < 0 or any(map(any, pairs[: max(0, len(pairs) - axes)])) or axes < 1:
        return None
    return (*((0, 0),) * (axes - len(pairs)), *pairs[-axes:])
