"""Normalisations."""

from __future__ import annotations

from math import prod

from archscope.ir import POINTWISE, Call, Example, Op, Saved, Shape, Windows, call, free, moved
from archscope.ops.attributes import Flag, Number
from archscope.ops.foreign import Foreign, Recognised, recognises, round_float, with_bias
from archscope.ops.registry import op


@op("batchnorm")
class BatchNorm(Op, frozen=True, kw_only=True):
    """Batch normalisation, Ioffe and Szegedy 2015; at inference a scale and a shift.

    eps: added to the variance before the root
    momentum: share of each batch in the running statistics
    affine: learn a scale and a shift for each channel
    """

    eps: Number = 1e-5
    momentum: Number = 0.1
    affine: Flag = True

    def window(self, *ins: Shape) -> Windows:
        return POINTWISE

    def shape(self, *ins: Shape) -> Shape:
        return ins[0]

    def params(self, *ins: Shape) -> int:
        return 2 * ins[0][0] if self.affine else 0

    def buffers(self, *ins: Shape) -> int:
        return 2 * ins[0][0]

    macs = free

    def elementwise(self, *ins: Shape) -> int:
        """Count a multiplication and an addition for each element."""
        return 2 * prod(ins[0])

    access = moved

    def saved(self, *ins: Shape) -> Saved:
        return Saved(input=True, fixed=2 * ins[0][0])

    def torch(self, *ins: Shape) -> Call:
        words: dict[str, object] = {"eps": self.eps, "momentum": self.momentum}
        words = {word: value for word, value in words.items() if value != BATCHNORM_DEFAULTS[word]}
        if not self.affine:
            words["affine"] = False
        rank = max(len(ins[0]) - 1, 1)
        return call(f"nn.BatchNorm{rank}d", ins[0][0], **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(), ((8, 16, 16),)),
            Example(cls(eps=0.001), ((8,),)),
            Example(cls(affine=False), ((8, 12),)),
            Example(cls(momentum=0.01), ((2, 3, 4, 5),)),
        )


BATCHNORM_DEFAULTS = {"eps": 1e-5, "momentum": 0.1}


@recognises("onnx.BatchNormalization")
def onnx_batchnorm(foreign: Foreign) -> Recognised | None:
    """Recognise a batch normalisation; ONNX's momentum weighs the old statistics."""
    words = {
        "weight": "scale", "bias": "B", "running_mean": "input_mean", "running_var": "input_var",
    }  # fmt: skip
    held = {word: foreign.get(name) for word, name in words.items()}
    if not all(value is not None and value.constant for value in held.values()):
        return None
    found = BatchNorm(
        eps=round_float(foreign.get("epsilon", 1e-5)),
        momentum=round(1 - round_float(foreign.get("momentum", 0.9)), 9),
    )
    return Recognised(found, (foreign.get("X"),), held)


@recognises("aten.batch_norm.default")
def batchnorm_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's batch normalisation with kept statistics."""
    given = with_bias(foreign)
    kept = {name: foreign.get(name) for name in ("running_mean", "running_var")}
    if len(given) == 1 or None in kept.values() or foreign.args["training"]:
        return None
    op = BatchNorm(eps=foreign.args["eps"], momentum=foreign.args["momentum"], affine=bool(given))
    return Recognised(op, (foreign.args["input"],), {**given, **kept})
