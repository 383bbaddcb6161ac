"""Normalisation by the root of the mean square."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.ir import Call, Example, Op, Saved, Shape, call
from archscope.onnx_form import Value, X, ints, node, per_channel, scalar, weight
from archscope.ops.attributes import Flag, Number
from archscope.ops.facts import free, moved, pointwise, same_shape
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises
from archscope.ops.registry import op

SINGLE = 1.1920928955078125e-07
"""Torch's default epsilon: the precision of float32."""


@op("rmsnorm")
class RMSNorm(Op, frozen=True, kw_only=True):
    """Divide each position by the root mean square of its channels, Zhang and Sennrich 2019."""

    normalises = True

    eps: Annotated[Number, "added to the mean square"] = 1e-6
    affine: Annotated[Flag, "learn a scale for each channel"] = True

    buffers = macs = free
    access = moved
    window = pointwise
    shape = same_shape

    @property
    def keeps_zero(self) -> bool:
        return True

    def params(self, *ins: Shape) -> int:
        return ins[0][0] if self.affine else 0

    def elementwise(self, *ins: Shape) -> int:
        """Count 3 operations for each element, 1 more for a scale, and 2 for each position."""
        return (3 + self.affine) * prod(ins[0]) + 2 * prod(ins[0][1:])

    def saved(self, *ins: Shape) -> Saved:
        """State the input, and a reciprocal for each position."""
        return Saved(input=True, elements=prod(ins[0][1:]), least=True)

    def torch(self, *ins: Shape) -> Call:
        words = {} if self.affine else {"elementwise_affine": False}
        return call("archscope.nn.RMSNorm", ins[0][0], eps=self.eps, **words)

    def onnx(self, *ins: Shape) -> Value:
        channels, *sizes = ins[0]
        mean = node("ReduceMean", node("Mul", X, X), ints(1))
        normal = node("Div", X, node("Sqrt", node("Add", mean, scalar(self.eps))))
        factors = weight("weight", channels, centre=1.0, spread=0.0)
        if not self.affine:
            return normal
        return node("Mul", normal, per_channel(factors, channels, len(sizes)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 5),)),
            Example(cls(eps=1e-5), ((8,),)),
            Example(cls(affine=False), ((8, 12),)),
        )


@recognises("aten.rms_norm.default", "channels.rms_norm")
def rms_norm_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's norm of flat inputs, or of channels moved to the front."""
    x, held = foreign.args["input"], foreign.get("weight")
    sizes = tuple(foreign.args["normalized_shape"])
    first = foreign.target == "channels.rms_norm"
    if not (sizes == x.shape[1:2] if first else len(x.shape) == 2 and len(sizes) == 1):
        return None
    eps, given = foreign.get("eps"), isinstance(held, Tensor)
    op = RMSNorm(eps=SINGLE if eps is None else eps, affine=given)
    return Recognised(op, (x,), {"weight": held} if isinstance(held, Tensor) else {})
