"""Batch normalisation with fixed parameters and statistics."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.ir import Call, Example, Op, Saved, Shape, call
from archscope.onnx_form import Value, X, node, weight
from archscope.ops.attributes import Number
from archscope.ops.facts import free, moved, pointwise, same_shape
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.norm import BatchNorm, batchnorm_of_onnx
from archscope.ops.registry import op


@op("frozen_batchnorm")
class FrozenBatchNorm(Op, frozen=True, kw_only=True):
    """Batch normalisation with fixed statistics, scale and shift, used to fine-tune detectors."""

    valuewise = True

    eps: Annotated[Number, "added to the variance before the square root"] = 1e-5

    params = macs = free
    access = moved
    window = pointwise
    shape = same_shape

    def saved(self, *ins: Shape) -> Saved:
        """State the factors."""
        return Saved(fixed=ins[0][0])

    def buffers(self, *ins: Shape) -> int:
        return 4 * ins[0][0]

    def elementwise(self, *ins: Shape) -> int:
        """Count a multiplication and an addition for each element."""
        return 2 * prod(ins[0])

    def torch(self, *ins: Shape) -> Call:
        words = {"eps": self.eps} if self.eps != 1e-5 else {}
        return call("archscope.nn.FrozenBatchNorm", ins[0][0], **words)

    def onnx(self, *ins: Shape) -> Value:
        channels = ins[0][0]
        starts = {"weight": 1.0, "bias": 0.0, "running_mean": 0.0, "running_var": 1.0}
        held = (
            weight(name, channels, centre=at, spread=0.0, learned=False)
            for name, at in starts.items()
        )
        return node("BatchNormalization", X, *held, epsilon=self.eps)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(), ((8, 6, 5),)), Example(cls(eps=0.001), ((4, 7),)))


@recognises("archscope.frozen_batch_norm.default")
def frozen_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a batch norm of buffers, as prepared by the importer."""
    names = ("weight", "bias", "running_mean", "running_var")
    held = {name: foreign.args[name] for name in names}
    return Recognised(FrozenBatchNorm(eps=foreign.args["eps"]), foreign.ins, held)


@recognises("onnx.BatchNormalization")
def any_batchnorm_of_onnx(foreign: Foreign) -> Recognised | None:
    """Recognise a batch norm, whose scale and shift may be constant."""
    found = batchnorm_of_onnx(foreign)
    if found is None or found.weights["weight"].learned:
        return found
    assert isinstance(found.op, BatchNorm)
    return Recognised(FrozenBatchNorm(eps=found.op.eps), found.inputs, found.weights)
