"""A learned or fixed tensor as a value of the network, such as queries or tokens."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.ir import WHOLE, Call, Example, Op, Shape, Windows, call
from archscope.onnx_form import Value, X, ints, node, scalar, weight
from archscope.ops.attributes import Flag, TensorShape
from archscope.ops.facts import free, saves_nothing
from archscope.ops.registry import op


@op("parameter")
class Parameter(Op, frozen=True, kw_only=True):
    """Return a learned tensor, the same for every image and independent of the input.

    `parameter: [100, 256]` are the queries of a decoder (Carion et al. 2020). Its input determines
    its place in the network and the batch size.
    """

    may_see_less = True  # nothing of its input
    principal = "size"
    without_slope = (0,)

    size: Annotated[TensorShape, "shape of the tensor"]
    fixed: Annotated[Flag, "the tensor is a constant: a buffer, which is not trained"] = False

    macs = elementwise = free
    saved = saves_nothing

    def shape(self, *ins: Shape) -> Shape:
        return self.size

    def params(self, *ins: Shape) -> int:
        return 0 if self.fixed else prod(self.size)

    def buffers(self, *ins: Shape) -> int:
        return prod(self.size) if self.fixed else 0

    def access(self, *ins: Shape) -> int:
        """Count the tensor, read once, and the output."""
        return 2 * prod(self.size)

    def window(self, *ins: Shape) -> Windows:
        """Return the whole input, as an upper bound."""
        return WHOLE

    def torch(self, *ins: Shape) -> Call:
        words = {"fixed": True} if self.fixed else {}
        return call("archscope.nn.ParameterLayer", *self.size, **words)

    def onnx(self, *ins: Shape) -> Value:
        axes = range(1, len(ins[0]) + 1)
        first = node("Slice", X, ints(*(0 for _ in axes)), ints(*(1 for _ in axes)), ints(*axes))
        each = node("Reshape", first, ints(0, *(1 for _ in self.size)))
        zeros = node("Mul", each, scalar(0.0))  # for each image of a batch of any size
        held = weight("weight", *self.size, spread=0.02, learned=not self.fixed)
        return node("Add", held, zeros)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(size=(5, 4)), ((8, 6),)),
            Example(cls(size=(4,)), ((3, 6, 5),)),
            Example(cls(size=(2, 3, 4), fixed=True), ((6,),)),
        )
