"""Fully connected layers."""

from __future__ import annotations

from typing import Annotated, ClassVar

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Shape, call, text_of
from archscope.onnx_form import Value, X, node
from archscope.ops.attributes import Flag, Positive
from archscope.ops.facts import Weighted, saves_input, stated, whole
from archscope.ops.foreign import Foreign, Recognised, Tensor, with_bias
from archscope.ops.registry import op


@op("linear")
class Linear(Weighted, frozen=True, kw_only=True):
    """Fully connected layer on a flat input."""

    modules: ClassVar[tuple[str, ...]] = ("nn.Linear",)
    absorbs_scale = True

    out: Annotated[Positive, "output features"]
    bias: Annotated[Flag, "add a learned bias to each output"] = True

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        if len(x) != 1:
            raise ShapeError(
                f"'linear' needs a flat input, got {text_of(x)}; put 'flatten' before it"
            )
        return (self.out,)

    def params(self, *ins: Shape) -> int:
        return self.out * (ins[0][0] + self.bias)

    def macs(self, *ins: Shape) -> int:
        return self.out * ins[0][0]

    window = whole
    saved = saves_input

    def torch(self, *ins: Shape) -> Call:
        return call("nn.Linear", ins[0][0], self.out, **stated(bias=self.bias))

    def onnx(self, *ins: Shape) -> Value:
        return node("Gemm", X, *self.onnx_weights(self.out, ins[0][0]), transB=1)

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(out=10), ((84,),)),
            Example(cls(out=16, bias=False), ((8,),)),
        )


def linear_of_onnx(foreign: Foreign) -> Recognised | None:
    """Recognise a product with a constant matrix, (out, in), as prepared by the importer."""
    return _recognised(foreign.get("X"), with_bias(foreign, "W", "B"))


def linear_of_torch(foreign: Foreign) -> Recognised | None:
    """Recognise torch's linear layer on flat inputs."""
    return _recognised(foreign.args["input"], with_bias(foreign))


def _recognised(x: Tensor, held: dict[str, Tensor]) -> Recognised | None:
    if len(x.shape) != 2:
        return None
    return Recognised(Linear(out=held["weight"].shape[0], bias="bias" in held), (x,), held)
