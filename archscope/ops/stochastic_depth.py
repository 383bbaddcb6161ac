"""Residuals that are left out at random while training."""

from __future__ import annotations

from archscope.ir import POINTWISE, Call, Example, Op, Saved, Shape, Storage, Windows, call, free
from archscope.ops.attributes import Share
from archscope.ops.registry import op


@op("stochastic_depth")
class StochasticDepth(Op, frozen=True, kw_only=True):
    """All of an image or nothing while training, nothing done at inference, Huang et al. 2016.

    It ends a residual, whose unit is then skipped; what is left is scaled up, so that the mean
    stays.

    p: share of the images whose values become zero
    """

    principal = "p"
    storage = Storage.VIEW

    p: Share

    @property
    def training_storage(self) -> Storage:
        return Storage.NEW if self.p else Storage.VIEW

    def window(self, *ins: Shape) -> Windows:
        return POINTWISE

    def shape(self, *ins: Shape) -> Shape:
        return ins[0]

    params = buffers = macs = elementwise = access = free

    def saved(self, *ins: Shape) -> Saved:
        return Saved(elements=1 if self.p else 0)

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.StochasticDepth", self.p)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(p=0.2), ((8, 6, 6),)),
            Example(cls(p=0.5), ((10,),)),
            Example(cls(p=0.0), ((8, 6),)),
        )
