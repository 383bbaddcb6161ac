"""Learned vectors of transformers: class tokens and embeddings of positions."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.axes import Window
from archscope.errors import ShapeError
from archscope.ir import Call, Example, Op, Shape, Windows, call, text_of
from archscope.onnx_form import Value, X, ints, node, scalar, weight
from archscope.ops.attributes import Positive
from archscope.ops.facts import free, moved, pointwise, same_shape, saves_nothing
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op


@op("class_token")
class ClassToken(Op, frozen=True, kw_only=True):
    """Put learned vectors before all positions: the class token of Dosovitskiy et al. 2020."""

    principal = "count"

    count: Annotated[Positive, "number of vectors"] = 1

    buffers = macs = elementwise = free
    access = moved
    saved = saves_nothing

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if len(x) != 2:
            raise ShapeError(f"'class_token' needs 1 spatial axis, got {text_of(x)}")
        return x[0], x[1] + self.count

    def params(self, *ins: Shape) -> int:
        return ins[0][0] * self.count

    def window(self, *ins: Shape) -> Windows:
        return (Window(before=self.count),)

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.ClassToken", ins[0][0], self.count)

    def onnx(self, *ins: Shape) -> Value:
        tokens = weight("weight", 1, self.count, ins[0][0], spread=0.02)
        first = node("Slice", X, ints(0), ints(1), ints(2))
        zeros = node("Mul", first, scalar(0.0))  # for each image of a batch of any size
        each = node("Add", node("Transpose", tokens, perm=(0, 2, 1)), zeros)
        return node("Concat", each, X, axis=2)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return Example(cls(), ((8, 6),)), Example(cls(count=2), ((4, 5),))


@op("position_embedding")
class PositionEmbedding(Op, frozen=True, kw_only=True):
    """Add a learned vector to each position, Dosovitskiy et al. 2020."""

    valuewise = True

    buffers = macs = free
    access = moved
    window = pointwise
    shape = same_shape
    saved = saves_nothing

    def params(self, *ins: Shape) -> int:
        return prod(ins[0])

    biases = params

    def elementwise(self, *ins: Shape) -> int:
        """Count the additions."""
        return prod(ins[0])

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.PositionEmbedding", ins[0][0], ins[0][1:])

    def onnx(self, *ins: Shape) -> Value:
        channels, *sizes = ins[0]
        rank = len(sizes)
        vectors = weight("weight", 1, *sizes, channels, spread=0.02)
        return node("Add", X, node("Transpose", vectors, perm=(0, rank + 1, *range(1, rank + 1))))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return Example(cls(), ((8, 6),)), Example(cls(), ((4, 5, 3),))


@recognises("channels.add_positions")
def positions_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a learned vector added to each position, channels last."""
    (held,) = (tensor for tensor in foreign.tensors if tensor.constant)
    if foreign.get("alpha", 1) != 1:
        return None
    return Recognised(PositionEmbedding(), foreign.ins, {"weight": held})


@recognises("channels.cat")
def tokens_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise a learned vector, or several from one weight, before the positions."""
    if len(foreign.tensors) != 2:
        return None
    held, x = foreign.tensors
    if not held.learned or x.constant or len(held.shape) != 3 or held.shape[0] != 1:
        return None
    return Recognised(ClassToken(count=held.shape[1]), (x,), {"weight": held})
