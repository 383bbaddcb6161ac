"""Values of a spec: constants, expressions, holes, and lists and mappings of these."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from msgspec import Struct

from archscope.errors import SpecError
from archscope.ir import Source
from archscope.language.expression import Expression, ExpressionError, ExpressionLimitError, Frame
from archscope.language.limits import LIMITS

FILLER = "!"
"""The name under which a scope stores the `HoleFiller` of its holes; no spec can use it."""

CHOICE, INT, FLOAT = "choice", "int", "float"


class Value(Struct, frozen=True):
    """A value of the spec: a constant, or a value that contains expressions or holes."""

    content: Any  # a constant, an Expression, a Hole, or a list or dict of Values
    at: Source
    constant: bool
    cost: int = 1  # a measure of the work to compute it

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
        """Yield its holes, including those in alternatives."""
        for value in self.parts():
            if isinstance(value.content, Hole):
                yield value.content
                for alternative in value.content.alternatives:
                    yield from alternative.holes()

    def expressions(self) -> Iterator[Expression]:
        """Yield its expressions, including those in the alternatives of holes."""
        for value in self.parts():
            if isinstance(value.content, Expression):
                yield value.content
            else:
                for alternative in value.content.alternatives:
                    yield from alternative.expressions()

    def parts(self) -> Iterator[Value]:
        """Yield the value itself, or the items of its list or mapping, if not constant."""
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
        """Whether it contains a hole."""
        return next(self.holes(), None) is not None


class Hole(Struct, frozen=True, gc=False):
    """A value left open in a search space."""

    kind: str
    label: str  # its name inside its layer: `kernel`, `rows.2.n`
    at: Source
    alternatives: tuple[Value, ...] = ()
    scalar: bool = True  # whether choices are the alternatives themselves or their indices
    low: Any = 0
    high: Any = 0
    step: Any = None
    log: bool = False
    shared: bool = False  # whether all instances of a block have the same value


class HolePaths(Struct, frozen=True, gc=False):
    """The prefixes of the paths of a layer's holes."""

    own: str = ""  # of holes that each instance fills separately: `stage0.unit1.`
    shared: str = ""  # of shared holes: `unit.`

    def path(self, hole: Hole) -> str:
        """Return the path of a hole."""
        return (self.shared if hole.shared else self.own) + hole.label


class HoleFiller(Struct, frozen=True, gc=False):
    """Looks up the chosen values of a layer's holes."""

    choices: Mapping[str, Any]
    paths: HolePaths

    def __call__(self, hole: Hole, scope: Any) -> Any:
        """Return the chosen value of a hole in a scope. Raises SpecError if there is none."""
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
    """The scope of `let`: values may refer to each other, and are computed on first use."""

    __slots__ = ("pending", "values_of")

    def __init__(self, values: Mapping[str, Value]) -> None:
        super().__init__(None)
        self.values_of = values
        self.pending: list[str] = []  # names being computed

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
