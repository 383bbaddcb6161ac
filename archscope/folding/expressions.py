"""The parameters of blocks, and the expressions in which layers use them.

A column has the values of a number in each instance of a block. One that follows from another
needs no parameter of its own: it is the same, a multiple, or half of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from msgspec import Struct

from archscope.folding.pieces import Piece

Path = tuple[Any, ...]
"""The path of a number in a chain: indices of layers and branches, then its name."""

MISSING: Any = object()
"""Marks the number of a layer that an instance does not have."""

LARGEST_FACTOR = 64  # larger factors are coincidence, not design


class Parameter(Struct, eq=False):
    """A parameter of a block."""

    kind: str  # only numbers of certain kinds follow from one another
    values: Sequence[Any]  # in each instance
    name: str = ""
    default: Any = None
    halved: Parameter | None = None  # the kernel, of which this is half by default

    def usual(self, args: dict[str, Any]) -> Any:
        """Return its value in an instance that does not set it."""
        if self.halved is None:
            return self.default
        kernel = args[self.halved.name]
        return kernel // 2 if isinstance(kernel, int) else None


class Derived(Struct, eq=False):
    """A value of a block's layer, computed from a parameter or a shape."""

    source: Parameter | str
    times: int = 1
    by: int = 1

    @property
    def text(self) -> str:
        """The expression."""
        return f"={self}"

    def __str__(self) -> str:
        return self.written("{}*{}", "{}//{}")

    def written(self, product: str, quotient: str) -> str:
        """Return it as a product and quotient."""
        name = self.source if isinstance(self.source, str) else self.source.name
        if self.times > 1:
            return product.format(self.times, name)
        return quotient.format(name, self.by) if self.by > 1 else name


class Condition(Struct, eq=False):
    """The condition under which an instance has a layer on its shortcut, not the identity."""

    stride: Parameter | None = None
    out: Derived | None = None

    @property
    def text(self) -> str:
        """The expression."""
        parts = [] if self.stride is None else [f"{self.stride.name} != 1"]
        if self.out is not None:
            parts.append(f"in.channels != {self.out}")
        return f"={' or '.join(parts)}"


class FoldedBlock(Struct, eq=False):
    """A block with its parameters."""

    name: str
    example: Piece
    parameters: list[Parameter] = []
    texts: dict[Path, Any] = {}  # the arguments of its layers: numbers, or Derived


def is_equal(column: Sequence[Any], other: Sequence[Any]) -> bool:
    """Return whether two columns are equal where the first has numbers."""
    pairs = zip(column, other, strict=True)
    return all(number is MISSING or repr(number) == repr(source) for number, source in pairs)


def is_half(column: Sequence[Any], other: Sequence[Any]) -> bool:
    """Return whether a column is half of another, rounded down: padding of its kernel."""
    pairs = _whole_pairs(column, other)
    return bool(pairs) and all(source // 2 == number for number, source in pairs)


def factor_of(column: Sequence[Any], other: Sequence[Any]) -> tuple[int, int] | None:
    """Return the integer factor and divisor that turn another column into this one."""
    pairs = _whole_pairs(column, other)
    if not pairs:
        return None
    number, source = pairs[0]
    if not number or not source:
        return None
    times, by = number // source, source // number
    if 1 < times <= LARGEST_FACTOR and all(a == times * b for a, b in pairs):
        return times, 1
    if 1 < by <= LARGEST_FACTOR and all(by * a == b for a, b in pairs):
        return 1, by
    return None


def _whole_pairs(column: Sequence[Any], other: Sequence[Any]) -> list[tuple[int, int]]:
    """Return the pairs of numbers of two columns, empty if some are not integers."""
    pairs = [pair for pair in zip(column, other, strict=True) if pair[0] is not MISSING]
    return pairs if all(type(number) is int for pair in pairs for number in pair) else []
