"""Normalisation across neighbouring channels."""

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
    text_of,
)  # fmt: skip
from archscope.ops.attributes import Number, Positive
from archscope.ops.foreign import Foreign, Recognised, recognises, round_float
from archscope.ops.registry import op


@op("lrn")
class LocalResponseNorm(Op, frozen=True, kw_only=True):
    """Local response normalisation, Krizhevsky et al. 2012.

    Each value is divided by (k + alpha * mean of the squares)^beta over neighbouring channels.
    The paper's alpha weighs the sum, so it is that of torch and Caffe divided by the size.

    size: channels that take part, the own one in the middle
    alpha: weight of the mean square
    beta: exponent
    k: added to the weighted mean square
    """

    principal = "size"

    size: Positive = 5
    alpha: Number = 1e-4
    beta: Number = 0.75
    k: Number = 1.0

    def window(self, *ins: Shape) -> Windows:
        return POINTWISE

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if len(x) == 1:
            raise ShapeError(f"'lrn' needs 1 to 3 spatial axes, got {text_of(x)}")
        return x

    params = buffers = macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count square, mean over the window, scale, shift, power and division."""
        return (self.size + 5) * prod(ins[0])

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        (x,) = ins
        padded = (x[0] + self.size - 1) * prod(x[1:])
        return Saved(input=True, elements=padded + 2 * prod(x))  # squares, base and its power

    def torch(self, *ins: Shape) -> Call:
        return call("nn.LocalResponseNorm", self.size, alpha=self.alpha, beta=self.beta, k=self.k)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6),)),
            Example(cls(size=4, alpha=0.5, beta=0.5, k=2.0), ((8, 12),)),
            Example(cls(size=3), ((4, 3, 4, 5),)),
        )


@recognises("onnx.LRN")
def onnx_lrn(foreign: Foreign) -> Recognised | None:
    """Recognise a local response norm of an odd size, whose middle is the same everywhere."""
    if foreign.get("size") % 2 == 0:
        return None
    found = LocalResponseNorm(
        size=foreign.get("size"),
        alpha=round_float(foreign.get("alpha", 1e-4)),
        beta=round_float(foreign.get("beta", 0.75)),
        k=round_float(foreign.get("bias", 1.0)),
    )
    return Recognised(found, (foreign.get("X"),))
