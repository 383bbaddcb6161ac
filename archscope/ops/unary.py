"""Element-wise functions that are not operators of their own."""

from __future__ import annotations

from collections.abc import Callable
from math import log, prod
from typing import Annotated

from msgspec import Struct

from archscope.ir import Call, Example, Saved, Shape, call
from archscope.onnx_form import Value, X, node, scalar
from archscope.ops.attributes import choice
from archscope.ops.facts import Weightless, pointwise, same_shape
from archscope.ops.foreign import Foreign, Recognised, Tensor, recognises
from archscope.ops.registry import op
from archscope.ops.scale import MulScalar

INPUT, OUTPUT, NOTHING = Saved(input=True), Saved(output=True), Saved()


MOST = 3.4028234663852886e38
"""The largest number of float32."""


class Function(Struct, frozen=True):
    """A function: the operations of its formula, and what its gradient needs."""

    cost: int
    keeps: Saved
    onnx: Callable[[], Value]
    zero: bool = True  # whether it is 0 at 0
    slope: bool = True  # whether it has another derivative than 0
    straight: bool = False  # whether it changes no ordinary number


def _one(kind: str) -> Callable[[], Value]:
    return lambda: node(kind, X)


def _trunc(x: Value) -> Value:
    return node("Mul", node("Sign", x), node("Floor", node("Abs", x)))


def _finite(x: Value) -> Value:
    numbers = node("Where", node("IsNaN", x), scalar(0), x)
    return node("Clip", numbers, scalar(-MOST), scalar(MOST))


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
    "erfc": Function(1, INPUT, lambda: node("Sub", scalar(1), node("Erf", X)), zero=False),
    "tan": Function(1, OUTPUT, _one("Tan")),
    "atan": Function(1, INPUT, _one("Atan")),
    "sinh": Function(1, INPUT, _one("Sinh")),
    "cosh": Function(1, INPUT, _one("Cosh"), zero=False),
    "asinh": Function(1, INPUT, _one("Asinh")),
    "log10": Function(1, INPUT, lambda: node("Div", node("Log", X), scalar(log(10))), zero=False),
    "sign": Function(1, NOTHING, _one("Sign"), slope=False),
    "floor": Function(1, NOTHING, _one("Floor"), slope=False),
    "ceil": Function(1, NOTHING, _one("Ceil"), slope=False),
    "round": Function(1, NOTHING, _one("Round"), slope=False),
    "trunc": Function(1, NOTHING, lambda: _trunc(X), slope=False),
    "frac": Function(1, NOTHING, lambda: node("Sub", X, _trunc(X))),
    "nan_to_num": Function(1, INPUT, lambda: _finite(X), straight=True),
    "mish": Function(5, INPUT, _one("Mish")),
    "selu": Function(5, INPUT, _one("Selu")),
}
"""The functions by their names in torch."""

POSITIVE = ("sqrt", "rsqrt", "log", "log1p", "log2", "log10")
"""Functions of positive numbers."""


@op("unary")
class Unary(Weightless, frozen=True, kw_only=True):
    """An element-wise function: `unary: exp`, `unary: sqrt`, `unary: mish`."""

    principal = "function"
    valuewise = True

    function: Annotated[str, choice(*FUNCTIONS), "its name in torch"]

    window = pointwise
    shape = same_shape

    @property
    def keeps_zero(self) -> bool:
        return FUNCTIONS[self.function].zero

    @property
    def nonlinear(self) -> bool:  # type: ignore[override]
        return not FUNCTIONS[self.function].straight

    @property
    def without_slope(self) -> tuple[int, ...]:  # type: ignore[override]
        return () if FUNCTIONS[self.function].slope else (0,)

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


ONNX = {
    "abs", "sqrt", "reciprocal", "exp", "log", "sin", "cos", "erf", "mish", "tan",
    "atan", "sinh", "cosh", "asinh", "sign", "floor", "ceil", "round",
}  # fmt: skip
"""Functions with the same name in ONNX."""


def _recognise(function: str) -> None:
    targets = [f"aten.{function}.default"]
    if function in ONNX:
        targets.append(f"onnx.{function.title()}")

    @recognises(*targets)
    def plain(foreign: Foreign) -> Recognised | None:
        others = [value for value in foreign.args.values() if not isinstance(value, Tensor)]
        usual = len(foreign.ins) == 1 and all(value is None for value in others)
        return Recognised(Unary(function=function), foreign.ins) if usual else None


for _function in FUNCTIONS:
    _recognise(_function)


@recognises("aten.neg.default", "onnx.Neg")
def negation(foreign: Foreign) -> Recognised | None:
    """Recognise the product with -1."""
    return Recognised(MulScalar(factor=-1), foreign.ins)
