"""Functions of each value that are no activation functions of their own."""

from __future__ import annotations

from collections.abc import Callable
from math import log, prod
from typing import Annotated

from msgspec import Struct

from archscope.ir import Call, Example, Saved, Shape, call
from archscope.onnx_form import Value, X, node, scalar
from archscope.ops.attributes import choice
from archscope.ops.facts import Weightless, pointwise, same_shape
from archscope.ops.foreign import Foreign, Recognised, recognises
from archscope.ops.registry import op
from archscope.ops.scale import Times

INPUT, OUTPUT = Saved(input=True), Saved(output=True)


class Function(Struct, frozen=True):
    """What is known of a function: operations of its formula, and what its gradient needs."""

    cost: int
    keeps: Saved
    onnx: Callable[[], Value]
    zero: bool = True  # whether it is 0 at 0


def _one(kind: str) -> Callable[[], Value]:
    return lambda: node(kind, X)


def _log1p(x: Value) -> Value:
    return node("Log", node("Add", x, scalar(1)))


FUNCTIONS = {
    "abs": Function(1, INPUT, _one("Abs")),
    "square": Function(1, INPUT, lambda: node("Mul", X, X)),
    "sqrt": Function(1, OUTPUT, _one("Sqrt")),
    "rsqrt": Function(1, OUTPUT, lambda: node("Reciprocal", node("Sqrt", X)), zero=False),
    "reciprocal": Function(1, OUTPUT, _one("Reciprocal"), zero=False),
    "exp": Function(1, OUTPUT, _one("Exp"), zero=False),
    "expm1": Function(1, OUTPUT, lambda: node("Sub", node("Exp", X), scalar(1))),
    "log": Function(1, INPUT, _one("Log"), zero=False),
    "log1p": Function(1, INPUT, lambda: _log1p(X)),
    "log2": Function(1, INPUT, lambda: node("Div", node("Log", X), scalar(log(2))), zero=False),
    "sin": Function(1, INPUT, _one("Sin")),
    "cos": Function(1, INPUT, _one("Cos"), zero=False),
    "erf": Function(1, INPUT, _one("Erf")),
    "mish": Function(5, INPUT, _one("Mish")),
    "selu": Function(5, INPUT, _one("Selu")),
}
"""The functions by their names in torch."""

POSITIVE = ("sqrt", "rsqrt", "log", "log1p", "log2")
"""Functions of positive numbers."""


@op("unary")
class Unary(Weightless, frozen=True, kw_only=True):
    """A function of each value: `unary: exp`, `unary: sqrt`, `unary: mish`."""

    principal = "function"
    valuewise = nonlinear = True

    function: Annotated[str, choice(*FUNCTIONS), "its name in torch"]

    window = pointwise
    shape = same_shape

    @property
    def keeps_zero(self) -> bool:
        return FUNCTIONS[self.function].zero

    def elementwise(self, *ins: Shape) -> int:
        """Count the operations of its formula for each element."""
        return FUNCTIONS[self.function].cost * prod(ins[0])

    def saved(self, *ins: Shape) -> Saved:
        return FUNCTIONS[self.function].keeps

    def torch(self, *ins: Shape) -> Call:
        return call("archscope.nn.Unary", self.function)

    def onnx(self, *ins: Shape) -> Value:
        return FUNCTIONS[self.function].onnx()

    @classmethod
    def examples(cls) -> tuple[Example, ...]:
        return tuple(
            Example(cls(function=name), ((4, 5, 6),), name in POSITIVE) for name in FUNCTIONS
        )


ONNX = {"abs", "sqrt", "reciprocal", "exp", "log", "sin", "cos", "erf", "mish"}
"""Functions that ONNX has by the same name."""


def _recognise(function: str) -> None:
    targets = [f"aten.{function}.default"]
    if function in ONNX:
        targets.append(f"onnx.{function.title()}")
    recognises(*targets)(lambda foreign: Recognised(Unary(function=function), foreign.ins))


for _function in FUNCTIONS:
    _recognise(_function)


@recognises("aten.neg.default", "onnx.Neg")
def negation(foreign: Foreign) -> Recognised | None:
    """Recognise the product with -1."""
    return Recognised(Times(factor=-1), foreign.ins)
