"""Open values, which depend on decisions, and the scopes in which they are computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from archscope.language.expression import Expression, Frame, reads_in
from archscope.language.value import FILLER, Hole, HoleFiller, HolePaths, Value
from archscope.space.decisions import Condition

Conditions = tuple[Condition, ...]


class UnknownError(Exception):
    """A value depends on shapes, which are unknown while values are open."""


class OpenValue:
    """A value that may depend on decisions: on which ones, and how it is computed from them."""

    __slots__ = ("_deps", "compute", "parts", "pending", "reads")

    def __init__(
        self,
        compute: Callable[[dict[str, Any]], Any],
        reads: Callable[[], set[str] | None],
        parts: dict[Any, OpenValue] | None = None,
    ) -> None:
        self.compute, self.reads = compute, reads
        self.parts = parts  # of a list by index, of a mapping by key, if they differ
        self._deps: set[str] | None = None
        self.pending = True

    @property
    def deps(self) -> set[str] | None:
        """The paths of the decisions that it reads; None if it reads shapes."""
        if self.pending:
            self.pending = False  # a circle in `let` is reported when it is expanded
            self._deps = set()
            self._deps = self.reads()
        return self._deps


def _unknown(choices: dict[str, Any]) -> Any:
    raise UnknownError


SHAPES = OpenValue(_unknown, lambda: None)


def constant(value: Any) -> OpenValue:
    """Return a value that depends on no decision."""
    return OpenValue(lambda choices: value, set)


class OpenScope:
    """Names with their open values, and the conditions under which this scope is active."""

    __slots__ = ("conditions", "parent", "values")

    def __init__(
        self, parent: OpenScope | None, values: dict[str, OpenValue], conditions: Conditions = ()
    ) -> None:
        self.parent, self.values, self.conditions = parent, values, conditions

    def find(self, name: str) -> OpenValue | None:
        """Return the value of a name."""
        scope: OpenScope | None = self
        while scope is not None:
            if name in scope.values:
                return scope.values[name]
            scope = scope.parent
        return None


class ChosenFrame(Frame):
    """An open scope with choices, in which expressions can be computed."""

    __slots__ = ("choices", "scope")

    def __init__(self, scope: OpenScope, choices: dict[str, Any], paths: HolePaths) -> None:
        super().__init__(None, {FILLER: HoleFiller(choices, paths)})
        self.scope, self.choices = scope, choices

    def __missing__(self, name: str) -> Any:
        found = self.scope.find(name)
        if found is None:
            raise KeyError(name)
        value = self[name] = found.compute(self.choices)
        return value


def open_value(value: Value, scope: OpenScope, paths: HolePaths) -> OpenValue:
    """Return a value of a spec as an open value in a scope."""
    content = value.content
    if value.constant:
        return constant(content)
    parts: dict[Any, OpenValue] | None = None
    if isinstance(content, Expression):
        same = scope.find(content.text[1:].strip())
        if same is not None:
            return same
    elif isinstance(content, list | dict):
        items = content.items() if isinstance(content, dict) else enumerate(content)
        parts = {key: open_value(part, scope, paths) for key, part in items}
    return OpenValue(
        lambda choices: value(ChosenFrame(scope, choices, paths)),
        lambda: _reads(value, scope, paths),
        parts,
    )


def _reads(value: Value, scope: OpenScope, paths: HolePaths) -> set[str] | None:
    """Return the decisions that a value reads; None if it reads shapes."""
    deps: set[str] = set()
    for part in value.parts():
        content = part.content
        if isinstance(content, Hole):
            deps.add(paths.path(content))
            read = [open_value(choice, scope, paths) for choice in content.alternatives]
        else:
            assert isinstance(content, Expression)
            named = [(scope.find(name), part) for name, part in reads_in(content.text)]
            read = [
                (found.parts or {}).get(part, found) for found, part in named if found is not None
            ]
        for found in read:
            if found.deps is None:
                return None
            deps |= found.deps
    return deps


def length(column: OpenValue) -> OpenValue:
    """Return the length of a list as an open value."""
    if column.parts is not None:
        return constant(len(column.parts))  # whatever its elements depend on

    def compute(choices: dict[str, Any]) -> int:
        values = column.compute(choices)
        return len(values) if isinstance(values, list) else 0

    return OpenValue(compute, lambda: column.deps)


def element(column: OpenValue, turn: int) -> OpenValue:
    """Return an element of a list as an open value, None beyond its end."""
    if column.parts is not None:
        return column.parts.get(turn) or constant(None)

    def compute(choices: dict[str, Any]) -> Any:
        values = column.compute(choices)
        return values[turn] if isinstance(values, list) and turn < len(values) else None

    return OpenValue(compute, lambda: column.deps)


def last(count: OpenValue, turn: int) -> OpenValue:
    """Return whether an iteration is the last as an open value."""
    return OpenValue(lambda choices: whole(count.compute(choices)) == turn + 1, lambda: count.deps)


def whole(value: Any) -> int:
    """Return a number of iterations; invalid ones are 0 here and an error when expanded."""
    return value if isinstance(value, int) else 0
