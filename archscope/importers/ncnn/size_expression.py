"""Evaluates the expressions by which ncnn layers state sizes: `*(0w,2),1h,64`.

An expression is a list of terms in prefix notation. `0w` is the width of the first input of the
layer, `1c` the channels of the second; whole numbers and floats (of single precision) are
distinguished, as in `src/expression.cpp` of ncnn. Nothing else can be named.
"""

from __future__ import annotations

import math
import operator
import re
import struct
from collections.abc import Callable, Sequence

from archscope.errors import SpecError, did_you_mean, quoted
from archscope.ir import Shape, Source

MOST = 2**31  # of a whole number, exclusive
SIDE = re.compile(r"\d[whdcn]")
WHOLE = re.compile(r"[-+]?\d{1,18}")
DECIMAL = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")

SIDES = {1: "w", 2: "hw", 3: "chw", 4: "cdhw"}
"""The sides of a blob by the number of its axes, in our order."""

Number = int | float


def _quotient(a: Number, b: Number) -> Number:
    if isinstance(a, float) or isinstance(b, float):
        return float(a // b)
    return -(-a // b) if (a < 0) != (b < 0) else a // b  # towards 0, as in C


def _rounded(a: float) -> int:
    return int(math.copysign(math.floor(abs(a) + 0.5), a))


def _remainder(a: float, b: float) -> float:
    return math.fmod(a, b) + (b if a * b < 0 else 0)


def _shifted(a: int, b: int) -> int:
    if not 0 <= b < 32:
        raise ValueError
    return a << b


EITHER: dict[str, tuple[int, Callable[..., Number]]] = {
    "+": (2, operator.add), "-": (2, operator.sub), "*": (2, operator.mul), "//": (2, _quotient),
    "max": (2, max), "min": (2, min), "abs": (1, abs), "neg": (1, operator.neg),
    "sign": (1, lambda a: type(a)((a > 0) - (a < 0))), "square": (1, lambda a: a * a),
}  # fmt: skip
"""Functions of whole numbers or floats, with the number of their arguments."""

WHOLES: dict[str, Callable[..., int]] = {
    "and": operator.and_, "or": operator.or_, "xor": operator.xor, "lshift": _shifted,
    "rshift": operator.rshift,
}  # fmt: skip
"""Functions of two whole numbers."""

TO_WHOLE: dict[str, Callable[[float], int]] = {
    "trunc": math.trunc, "ceil": math.ceil, "floor": math.floor, "round": _rounded,
}  # fmt: skip

FLOATS: dict[str, tuple[int, Callable[..., float]]] = {
    **{name: (1, getattr(math, name)) for name in (
        "acos", "acosh", "asin", "asinh", "atan", "atanh", "cos", "cosh", "erf", "exp", "log",
        "log10", "sin", "sinh", "sqrt", "tan", "tanh",
    )},
    "reciprocal": (1, lambda a: 1 / a), "rsqrt": (1, lambda a: 1 / math.sqrt(a)),
    "/": (2, operator.truediv), "atan2": (2, math.atan2), "fmod": (2, math.fmod),
    "pow": (2, math.pow), "remainder": (2, _remainder),
    "logaddexp": (2, lambda a, b: math.log(math.exp(a) + math.exp(b))),
}  # fmt: skip
"""Functions whose arguments become floats."""

FUNCTIONS = {*EITHER, *WHOLES, *TO_WHOLE, *FLOATS}


def evaluated(text: str, shapes: Sequence[Shape], at: Source) -> list[int]:
    """Return the whole numbers of an expression, given the shapes of a layer's inputs.

    Raises SpecError.
    """
    stack: list[Number] = []
    for word in reversed([word for word in re.split(r"[(),\s]+", text) if word]):
        try:
            stack.append(_checked(_value(word, stack, shapes)))
        except (ArithmeticError, ValueError, IndexError, TypeError):
            raise SpecError(
                f"cannot compute {quoted(word)} of the expression {quoted(text)}", at
            ) from None
        except KeyError:
            guess = did_you_mean(word, [*FUNCTIONS])
            raise SpecError(
                f"expected a function, a size such as 0w or a number, got {quoted(word)}{guess}", at
            ) from None
    return [int(value) for value in reversed(stack)]


def _value(word: str, stack: list[Number], shapes: Sequence[Shape]) -> Number:
    """Return the value of a word, which takes its arguments from the end of the stack."""
    if SIDE.fullmatch(word):
        return sides_of(shapes[int(word[0])])[word[1]]
    if WHOLE.fullmatch(word):
        return int(word)
    if DECIMAL.fullmatch(word):
        return float(word)
    if word in EITHER:
        count, function = EITHER[word]
        return function(*(stack.pop() for _ in range(count)))
    if word in TO_WHOLE:
        return TO_WHOLE[word](stack.pop())
    if word in WHOLES:
        return WHOLES[word](stack.pop(), stack.pop())
    count, function = FLOATS[word]
    return float(function(*(float(stack.pop()) for _ in range(count))))


def _checked(value: Number) -> Number:
    """Return a value as ncnn holds it. Raises ArithmeticError if it is too large."""
    if isinstance(value, float):
        if not math.isfinite(value):
            raise OverflowError
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    if not -MOST <= value < MOST:
        raise OverflowError
    return value


def sides_of(shape: Shape) -> dict[str, int]:
    """Return width, height, depth, channels and batch of a blob; those that it lacks are 1."""
    return dict.fromkeys("whdcn", 1) | dict(zip(SIDES[len(shape)], shape, strict=True))
