"""Operators that act only while training: dropout and stochastic depth."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.ir import Call, Example, Saved, Shape, Storage, by_rank, call
from archscope.ops.attributes import Flag, Share
from archscope.ops.facts import Weightless, free, pointwise, same_shape, unchanged
from archscope.ops.foreign import Foreign, Recognised, recognises, recognises_as, round_float
from archscope.ops.registry import op


class Drop(Weightless, frozen=True, kw_only=True):
    """The base class of random dropping; not an operator itself."""

    principal = "p"
    storage = Storage.VIEW
    random = valuewise = keeps_zero = selects = True

    p: Annotated[Share, "probability of dropping"]

    @property
    def training_storage(self) -> Storage:
        return Storage.NEW if self.p else Storage.VIEW

    def is_identity(self, *ins: Shape) -> bool:
        return self.p == 0

    window = pointwise
    shape = same_shape
    elementwise = access = free
    onnx = unchanged


@op("dropout")
class Dropout(Drop, frozen=True, kw_only=True):
    """Set random values to zero in training, do nothing at inference, Srivastava et al. 2014."""

    modules = ("nn.Dropout", *by_rank("nn.Dropout{}d"))

    p: Annotated[Share, "probability that a value becomes zero"] = 0.5
    channels: Annotated[Flag, "drop whole channels, Tompson et al. 2015"] = False

    def saved(self, *ins: Shape) -> Saved:
        drawn = ins[0][0] if self.channels else prod(ins[0])
        return Saved(elements=drawn if self.p else 0)

    def torch(self, *ins: Shape) -> Call:
        rank = len(ins[0]) - 1 if self.channels else 0
        return call(self.modules[rank], self.p)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 6, 6),)),
            Example(cls(p=0.2), ((10,),)),
            Example(cls(p=0.0), ((10,),)),
            Example(cls(p=0.2, channels=True), ((8, 6, 6),)),
            Example(cls(p=0.2, channels=True), ((8, 6),)),
            Example(cls(p=0.2, channels=True), ((10,),)),
        )


@op("stochastic_depth")
class StochasticDepth(Drop, frozen=True, kw_only=True):
    """Drop a residual branch at random for each image in training, Huang et al. 2016.

    It is the last operator of the branch. The branches that are kept are scaled up, so that the
    mean stays the same.
    """

    modules = ("archscope.nn.StochasticDepth",)

    p: Annotated[Share, "probability that an image becomes zero"]

    def saved(self, *ins: Shape) -> Saved:
        return Saved(elements=1 if self.p else 0)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(p=0.2), ((8, 6, 6),)),
            Example(cls(p=0.5), ((10,),)),
            Example(cls(p=0.0), ((8, 6),)),
        )


@recognises("onnx.Dropout")
def onnx_dropout(foreign: Foreign) -> Recognised | None:
    """Recognise a dropout with its ratio."""
    ratio = foreign.get("ratio")
    p = 0.5 if ratio is None else getattr(ratio, "value", ratio)  # an attribute before opset 12
    if not isinstance(p, int | float) or not 0 <= p < 1:
        return None
    return Recognised(Dropout(p=round_float(p)), foreign.ins[:1])


@recognises("aten.dropout.default", "aten.feature_dropout.default")
def dropout_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's dropout of values and of whole channels."""
    p, channels = float(foreign.args["p"]), foreign.target.startswith("aten.feature_")
    return Recognised(Dropout(p=p, channels=channels), foreign.ins) if p < 1 else None


recognises_as(StochasticDepth, "archscope.stochastic_depth.default", p="p")
