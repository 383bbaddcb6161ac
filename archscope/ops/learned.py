"""Arithmetic with a learned or fixed tensor: position embeddings, scales, data set means."""

from __future__ import annotations

from math import prod
from typing import Annotated

from archscope.errors import ShapeError
from archscope.ir import Call, Example, Op, Saved, Shape, call, text_of
from archscope.onnx_form import Value, X, node, weight
from archscope.ops.attributes import Flag, TensorShape, choice
from archscope.ops.facts import free, moved, pointwise
from archscope.ops.registry import op

KINDS = {
    "add": "Add", "sub": "Sub", "rsub": "Sub", "mul": "Mul", "div": "Div", "rdiv": "Div",
    "pow": "Pow", "maximum": "Max", "minimum": "Min",
}  # fmt: skip
"""The functions, and their names in ONNX."""

ADDED = ("add", "sub", "rsub")


@op("learned")
class Learned(Op, frozen=True, kw_only=True):
    """Combine the input with a learned tensor, broadcast along axes of size 1.

    `learned: {function: add, size: [64, 14, 14]}` is a position embedding; with size [64, 1, 1] it
    has a number per channel. If possible, it is initialised so that it changes nothing.
    """

    principal = "size"

    size: Annotated[TensorShape, "shape of the tensor; each size is that of the input, or 1"]
    function: Annotated[
        str, choice(*KINDS), "function of the input and the tensor; rsub and rdiv swap them"
    ] = "add"
    fixed: Annotated[Flag, "the tensor is a constant: a buffer, which is not trained"] = False

    macs = free
    access = moved
    window = pointwise

    @property
    def keeps_zero(self) -> bool:
        return self.function in ("mul", "div", "pow")

    def shape(self, *ins: Shape) -> Shape:
        (x,) = ins
        pairs = [*zip(x, self.size, strict=False)]
        if len(x) != len(self.size) or any(a != b and 1 not in (a, b) for a, b in pairs):
            raise ShapeError(
                f"'learned' needs a tensor whose sizes are those of its input {text_of(x)} or 1,"
                f" got {text_of(self.size)}"
            )
        return tuple(max(pair) for pair in pairs)

    def params(self, *ins: Shape) -> int:
        return 0 if self.fixed else prod(self.size)

    def buffers(self, *ins: Shape) -> int:
        return prod(self.size) if self.fixed else 0

    def biases(self, *ins: Shape) -> int:
        return self.params(*ins) if self.function in ADDED else 0

    def elementwise(self, *ins: Shape) -> int:
        """Count an operation for each element of the result."""
        return prod(self.shape(*ins))

    def saved(self, *ins: Shape) -> Saved:
        if self.function in ADDED:
            return Saved()
        if self.function in ("mul", "div"):
            return Saved(input=not self.fixed)
        return Saved(input=True, output=self.function == "pow" and not self.fixed)

    def torch(self, *ins: Shape) -> Call:
        words = {"fixed": True} if self.fixed else {}
        return call("archscope.nn.Learned", self.function, *self.size, **words)

    def onnx(self, *ins: Shape) -> Value:
        centre = 0.0 if self.function in (*ADDED, "maximum", "minimum") else 1.0
        held = weight("weight", *self.size, centre=centre, spread=0.0, learned=not self.fixed)
        swapped = self.function in ("rsub", "rdiv")
        return node(KINDS[self.function], *((held, X) if swapped else (X, held)))

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return (
            Example(cls(size=(8, 6, 6)), ((8, 6, 6),)),
            Example(cls(size=(1, 1, 5), function="sub"), ((8, 6, 5),)),
            Example(cls(size=(3, 1, 1), function="rsub", fixed=True), ((3, 6, 5),)),
            Example(cls(size=(1, 6), function="mul"), ((8, 6),)),
            Example(cls(size=(3, 1, 1), function="div", fixed=True), ((3, 6, 5),)),
            Example(cls(size=(4,), function="rdiv"), ((4,),)),
            Example(cls(size=(4, 1), function="maximum"), ((1, 6),)),
        )
