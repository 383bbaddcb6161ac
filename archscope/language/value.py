"""Values of a spec: constants, expressions, holes, and lists and mappings of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from archscope.errors import SpecError
from archscope.ir import Source
from archscope.language.expression import (
    Expression,
    ExpressionError,
    ExpressionLimitError,
    Frame,
)
from archscope.language.limits import LIMITS

FILLER = "!"
"""The name, which no spec can use, under which a scope keeps the `HoleFiller` of its holes."""

CHOICE, INT, FLOAT = "choice", "int", "float"


class Value(Struct, frozen=True):
    """A value of the spec: a constant, or something with expressions or holes in it."""

    content: Any  # a constant, an Expression, a Hole, or a list or dict of Values
    at: Source
    constant: bool
    cost: int = 1  # a measure of the work that it takes to compute it

    def __call__(self, scope: Any) -> Any:
        """Return the plain value in a scope. Raises SpecError."""
        content = self.content
        if self.constant:
            return content
        if isinstance(content, Expression):
            return content(scope)
        if isinstance(content, list):
            return [value(scope) for value in content]
        if isinstance(content, Hole):
            return scope[FILLER](content, scope)
        return {key: value(scope) for key, value in content.items()}

    def holes(self) -> Iterator[Hole]:
        """Yield the holes in it, and those in their alternatives."""
        for value in self.parts():
            if isinstance(value.content, Hole):
                yield value.content
                for alternative in value.content.alternatives:
                    yield from alternative.holes()

    def expressions(self) -> Iterator[Expression]:
        """Yield the expressions in it, and those in the alternatives of its holes."""
        for value in self.parts():
            if isinstance(value.content, Expression):
                yield value.content
            else:
                for alternative in value.content.alternatives:
                    yield from alternative.expressions()

    def parts(self) -> Iterator[Value]:
        """Yield it, or the values in its list or mapping, that are not constant."""
        content = self.content
        if self.constant:
            return
        if isinstance(content, list | dict):
            for part in content.values() if isinstance(content, dict) else content:
                yield from part.parts()
        else:
            yield self

    @property
    def open(self) -> bool:
        """Whether there is a hole in it."""
        return next(self.holes(), None) is not None


class Hole(Struct, frozen=True, gc=False):
    """A value that is left open."""

    kind: str
    label: str  # its name inside what holds it: `kernel`, `rows.2.n`
    at: Source
    alternatives: tuple[Value, ...] = ()
    scalar: bool = True  # whether alternatives stand for themselves, else their indices do
    low: Any = 0
    high: Any = 0
    step: Any = None
    log: bool = False
    shared: bool = False  # whether all instances of a block have one value


class HolePaths(Struct, frozen=True, gc=False):
    """What the paths of the holes of a layer begin with."""

    own: str = ""  # of those that every instance fills for itself: `stage0.unit1.`
    shared: str = ""  # of those that are shared: `unit.`

    def path(self, hole: Hole) -> str:
        """Return the path of a hole."""
        return (self.shared if hole.shared else self.own) + hole.label


class HoleFiller(Struct, frozen=True, gc=False):
    """Gives the holes of a layer the values that were chosen for them."""

    choices: Mapping[str, Any]
    paths: HolePaths

    def __call__(self, hole: Hole, scope: Any) -> Any:
        """Return the value of a hole in a scope. Raises SpecError if none was chosen."""
        path = self.paths.path(hole)
        if path not in self.choices:
            raise SpecError(
                f"'!{hole.kind}' leaves '{path}' open: this is a search space;"
                f" 'archscope space' shows it, and --set {path}=... closes this hole",
                hole.at,
            )
        choice = self.choices[path]
        return choice if hole.scalar else hole.alternatives[choice](scope)


class Lets(Frame):
    """The scope of `let`: values that may read one another, each computed when it is read first."""

    __slots__ = ("pending", "values_of")

    def __init__(self, values: Mapping[str, Value]) -> None:
        super().__init__(None)
        self.values_of = values
        self.pending: list[str] = []  # those that are being computed

    def __missing__(self, name: str) -> Any:
        if name not in self.values_of:
            raise KeyError(name)
        if name in self.pending:
            circle = [*self.pending[self.pending.index(name) :], name]
            raise ExpressionError(f"'let' goes in a circle ({' -> '.join(circle)})")
        if len(self.pending) == LIMITS.depth:
            raise ExpressionLimitError(
                f"values of 'let' in a row beyond the limit of {LIMITS.depth}"
            )
        self.pending.append(name)
        value = self.values_of[name](self)
        if value is None:
            raise ExpressionError(f"'{name}' has no value", f"; give it one with --set {name}=...")
        self[name] = value
        self.pending.pop()
        return value

    def names(self) -> set[str]:
        """Return all names known here."""
        return set(self.values_of)
