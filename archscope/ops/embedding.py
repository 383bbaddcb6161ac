"""Learned vectors for the indices of a vocabulary."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.ir import Call, Example, Op, Saved, Shape, call
from archscope.onnx_form import Value, X, node, weight
from archscope.ops.attributes import Positive
from archscope.ops.facts import free, whole
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.layout import Permute
from archscope.ops.registry import op

INT64 = 7
"""ONNX's number of the type."""


@op("embedding")
class Embedding(Op, frozen=True, kw_only=True):
    """Look up a learned vector for each index of a vocabulary in the input, along the channels."""

    principal = "out"

    size: Annotated[Positive, "size of the vocabulary"]
    out: Annotated[Positive, "output channels"]

    buffers = macs = elementwise = free
    window = whole
    may_see_less = True

    @property
    def vocabulary(self) -> int:
        return self.size

    def shape(self, *ins: Shape) -> Shape:
        return self.out, *ins[0]

    def params(self, *ins: Shape) -> int:
        return self.size * self.out

    def access(self, *ins: Shape) -> int:
        """Count the indices, the vectors that they select, and the output."""
        return prod(ins[0]) + 2 * prod(self.shape(*ins))

    def saved(self, *ins: Shape) -> Saved:
        """State the indices, as integers."""
        return Saved(indices=prod(ins[0]))

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Embedding", self.size, self.out)

    def onnx(self, *ins: Shape) -> Value:
        table = weight("weight", self.size, self.out, spread=1.0)
        vectors = node("Gather", table, node("Cast", X, to=INT64), axis=0)
        rank = len(ins[0]) + 1
        return node("Transpose", vectors, perm=(0, rank, *range(1, rank)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (Example(cls(size=20, out=8), ((6,),), positive=True),)


@recognises("aten.embedding.default")
def embedding_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's embedding, whose vectors are along the last axis."""
    table, x = foreign.args["weight"], foreign.args["indices"]
    if not table.constant or x.constant or len(table.shape) != 2:
        return None
    rank = len(x.shape)
    found = Embedding(size=table.shape[0], out=table.shape[1])
    then = (Permute(order=(*range(1, rank), 0)),)
    return Recognised(found, (x,), {"weight": table}, then)
