"""Fully connected layers."""

from __future__ import annotations

from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Op, Shape, call, text_of
from archscope.ops.attributes import Flag, Positive
from archscope.ops.facts import free, moved, saves_input, whole
from archscope.ops.foreign import Foreign, Recognised, recognises, with_bias
from archscope.ops.registry import op


@op("linear")
class Linear(Op, frozen=True, kw_only=True):
    """Fully connected layer on a flat input."""

    principal = "out"
    modules = ("nn.Linear",)
    absorbs_scale = True

    out: Annotated[Positive, "output features"]
    bias: Annotated[Flag, "add a learned bias to each output"] = True

    @property
    def keeps_zero(self) -> bool:
        return not self.bias

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if len(x) != 1:
            raise ShapeError(
                f"'linear' needs a flat input, got {text_of(x)}; put 'flatten' before it"
            )
        return (self.out,)

    def params(self, *ins: Shape) -> int:
        return self.out * (ins[0][0] + self.bias)

    buffers = free

    def macs(self, *ins: Shape) -> int:
        return self.out * ins[0][0]

    def elementwise(self, *ins: Shape) -> int:
        """Count the additions of the bias."""
        return self.out if self.bias else 0

    access = moved
    window = whole
    saved = saves_input

    def torch(self, *ins: Shape) -> Call:
        words = {} if self.bias else {"bias": False}
        return call("nn.Linear", ins[0][0], self.out, **words)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(out=10), ((84,),)),
            Example(cls(out=16, bias=False), ((8,),)),
        )


@recognises("onnx.Linear")
def onnx_linear(foreign: Foreign) -> Recognised | None:
    """Recognise a product with a constant matrix, (out, in), as the importer brings it."""
    x, weight, bias = foreign.get("X"), foreign.get("W"), foreign.get("B")
    if len(x.shape) != 2:
        return None
    held = {"weight": weight, "bias": bias} if bias is not None else {"weight": weight}
    return Recognised(Linear(out=weight.shape[0], bias=bias is not None), (x,), held)


@recognises("aten.linear.default")
def linear_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's linear layer on flat inputs."""
    x = foreign.args["input"]
    if len(x.shape) != 2:
        return None
    op = Linear(out=foreign.args["weight"].shape[0], bias=foreign.get("bias") is not None)
    return Recognised(op, (x,), with_bias(foreign))
