"""Gates that pass only the largest values: hard attention."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import POINTWISE, WHOLE, Example, Saved, Shape, Windows
from archscope.onnx_form import Value, X, ints, node
from archscope.ops.attributes import Positive, choice
from archscope.ops.facts import Weightless
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op

Along = Annotated[str, choice("channels", "positions")]


@op("top_k")
class TopK(Weightless, frozen=True, kw_only=True):
    """Keep the k largest values and set the others to zero, Makhzani and Frey 2014.

    As a factor of `mul` it is hard attention: all but the k largest are cut off, and get no
    gradient from this image.
    """

    principal = "k"
    modules = ("archscope.nn.TopK",)
    keeps_zero = True

    k: Annotated[Positive, "number of values to keep"]
    along: Annotated[Along, "channels, for each position; or positions, for each channel"] = (
        "channels"
    )

    def window(self, *ins: Shape) -> Windows:
        return POINTWISE if self.along == "channels" else WHOLE

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        size = x[0] if self.along == "channels" else prod(x[1:])
        if self.k > size:
            raise ShapeError(f"'top_k' keeps {self.k} {self.along}, but its input has only {size}")
        return x

    def elementwise(self, *ins: Shape) -> int:
        """Count a comparison for each value."""
        return prod(ins[0])

    def saved(self, *ins: Shape) -> Saved:
        (x,) = ins
        return Saved(indices=self.k * (prod(x[1:]) if self.along == "channels" else x[0]))

    def onnx(self, *ins: Shape) -> Value:
        channels, *sizes = ins[0]
        axis = 1 if self.along == "channels" else 2
        flat = axis == 2 and len(sizes) > 1
        rows = node("Reshape", X, ints(0, channels, -1)) if flat else X
        largest = node("TopK", rows, ints(self.k), axis=axis, sorted=0)
        zeros, places = node("Sub", rows, rows), largest.result(1)
        kept = node("ScatterElements", zeros, places, largest, axis=axis)
        return node("Reshape", kept, ints(0, channels, *sizes)) if flat else kept

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(k=3), ((8, 6, 7),)),
            Example(cls(k=4), ((8,),)),
            Example(cls(k=10, along="positions"), ((2, 6, 7),)),
            Example(cls(k=5, along="positions"), ((2, 12),)),
        )


@recognises("onnx.Largest")
def onnx_largest(foreign: Foreign) -> Recognised | None:
    """Recognise the largest values among zeros, as prepared by the importer."""
    along = {1: "channels", 2: "positions"}.get(foreign.get("axis"))
    if along is None or (along == "positions" and len(foreign.out) != 3):
        return None
    return Recognised(TopK(k=foreign.get("k"), along=along), foreign.ins)
