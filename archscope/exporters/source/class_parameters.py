"""Find the parameters of each class, and the arguments of the calls in its constructor.

A class represents several scopes. The values of an argument in all of them form a column; whether
a column follows from another is decided as for the blocks of folded specs.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from msgspec import Struct, field

from archscope.exporters.source.calls import SIZES, Argument, arguments
from archscope.exporters.source.constructor import (
    Block,
    Layer,
    Part,
    Run,
    ScopeClass,
    scope_classes,
)
from archscope.exporters.source.line_breaking import Text, literal
from archscope.exporters.source.scopes import Path, Scope
from archscope.folding.expressions import Derived, Parameter, factor_of, is_equal, is_half

FEW = 4  # up to this many unequal blocks are written separately, not as a loop


Written = tuple[str, Text]
"""The keyword and text of an argument of a call; positional arguments have no keyword."""


class Assignment(Struct, frozen=True):
    """One assignment of a constructor: a module, or several in a loop."""

    path: Path
    target: str | int  # a module of torch, or the number of a class
    arguments: tuple[Written, ...]
    base: str = ""  # for a loop: the name of its modules without their numbers
    start: int = 0
    count: Text = ""
    variable: str = ""  # for a loop over a list: the name of its elements
    iterated: Text = ""  # and the list


class SourceClass(Struct, frozen=True):
    """A class: the scopes it represents, its parameters and its constructor."""

    scopes: ScopeClass
    parameters: list[Parameter] = field(default_factory=list)
    assignments: list[Assignment] = field(default_factory=list)
    words: dict[str, str] = field(default_factory=dict)
    """The name of each parameter in torch: `out_channels`."""


class _UnevenError(Exception):
    """Consecutive blocks that differ too much to be written as a loop."""


def classes(root: Scope) -> list[SourceClass]:
    """Return the classes of a network, each after those it uses; the network is the last."""
    unrolled: set[Path] = set()  # scopes whose consecutive blocks are written separately
    while True:
        made = _classes(scope_classes(root, unrolled), unrolled)
        if made is not None:
            return made


def _classes(found: list[ScopeClass], unrolled: set[Path]) -> list[SourceClass] | None:
    """Return the classes, None if some blocks are better written separately."""
    made: list[SourceClass] = []
    given: dict[Path, dict[str, Any]] = {}  # the parameters of each instance
    for scopes in found:
        maker = _ClassMaker(scopes, made, given)
        try:
            made.append(maker.make())
        except _UnevenError:
            unrolled.update(scope.path for scope, _ in scopes.instances)
            return None
        for number, (scope, _) in enumerate(scopes.instances):
            given[scope.path] = {
                parameter.name: parameter.values[number] for parameter in made[-1].parameters
            }
    return made


class _ClassMaker:
    """Creates a class from the scopes it represents."""

    def __init__(
        self, scopes: ScopeClass, made: list[SourceClass], given: dict[Path, dict[str, Any]]
    ) -> None:
        self.scopes, self.made, self.given = scopes, made, given
        self.result = SourceClass(scopes)

    def make(self) -> SourceClass:
        for parts in zip(*(parts for _, parts in self.scopes.instances), strict=True):
            self.result.assignments.append(self._assignment(parts[0], parts))
        return self.result

    def _assignment(self, first: Part, parts: tuple[Part, ...]) -> Assignment:
        if isinstance(first, Layer):
            return self._layer(first, parts)
        return self._run(first, parts) if isinstance(first, Run) else self._block(first, parts)

    def _layer(self, first: Layer, parts: tuple[Part, ...]) -> Assignment:
        calls = [arguments(part.call) for part in parts if isinstance(part, Layer)]
        written: list[Written] = []
        for column in zip(*calls, strict=True):
            values = tuple(argument.value for argument in column)
            argument = column[0]
            if argument.name == "inplace":  # if any of them may not, none does
                values = (all(values),) * len(values)
            text = self._text(argument, argument.kind, values, first.path[-1])
            if text is not None:
                written.append(("" if argument.positional else argument.name, text))
        return Assignment(first.path, first.call.target, tuple(written))

    def _block(self, first: Block, parts: tuple[Part, ...]) -> Assignment:
        rows = [self.given[part.scope.path] for part in parts if isinstance(part, Block)]
        inner = self.made[first.number]
        written: list[Written] = []
        for parameter in inner.parameters:
            values = tuple(row[parameter.name] for row in rows)
            argument = Argument(inner.words[parameter.name], values[0], parameter.default)
            text = self._text(argument, parameter.kind, values, first.path[-1])
            if text is not None:
                written.append((parameter.name, text))
        return Assignment(first.path, first.number, tuple(written))

    def _run(self, first: Run, parts: tuple[Part, ...]) -> Assignment:
        runs = [part for part in parts if isinstance(part, Run)]
        counts = tuple(len(run.scopes) for run in runs)
        inner = self.made[first.number]
        values = {
            parameter.name: [
                [self.given[scope.path][parameter.name] for scope in run.scopes] for run in runs
            ]
            for parameter in inner.parameters
        }
        lists = [name for name, rows in values.items() if _growth(rows) is None]
        if set(counts) == {1}:
            path = (f"{first.base}{first.start}",)
            blocks = tuple(Block(path, run.scopes[0], run.number) for run in runs)
            return self._block(blocks[0], blocks)
        few = len(set(counts)) == 1 and counts[0] <= FEW
        if len(lists) > 1 or (lists and few):
            raise _UnevenError
        count = self._text(Argument(f"{first.base or 'part'}s", counts[0]), "count", counts, "")
        assert count is not None
        written: list[Written] = []
        along: tuple[str, Text] = ("", "")
        for parameter in inner.parameters:
            word = inner.words[parameter.name]
            if parameter.name in lists:
                rows = tuple(map(tuple, values[parameter.name]))
                argument = Argument(f"all_{word}", rows[0])
                iterated = self._text(argument, f"all {parameter.kind}", rows, first.base)
                along = f"each_{word}", iterated or ""
                written.append((parameter.name, along[0]))
            else:
                text = self._even(parameter, word, values[parameter.name], first.base)
                written += [(parameter.name, text)] if text else []
        return Assignment(
            (first.base,), first.number, tuple(written), first.base, first.start, count, *along
        )

    def _even(
        self, parameter: Parameter, word: str, values: list[list[Any]], owner: str
    ) -> Text | None:
        """Return a parameter that is constant or grows over a loop, None if it is left out."""
        starts, steps = tuple(row[0] for row in values), _growth(values)
        assert steps is not None
        if not any(steps):
            argument = Argument(word, starts[0], parameter.default)
            return self._text(argument, parameter.kind, starts, owner)
        start = self._text(Argument(word, starts[0]), parameter.kind, starts, owner)
        step = self._text(Argument("growth", steps[0]), "growth", steps, owner)
        return f"{start} + i * {step}"

    def _text(
        self, argument: Argument, kind: str, values: tuple[Any, ...], owner: str
    ) -> Text | None:
        """Return an argument as it is written, None if it can be left out."""
        if len({repr(value) for value in values}) == 1:
            return None if repr(values[0]) == repr(argument.default) else literal(values[0])
        for parameter in self.result.parameters:
            derived = _derived(parameter, kind, values)
            if derived is not None:
                return derived.written("{} * {}", "{} // {}")
        taken = {parameter.name for parameter in self.result.parameters}
        name = argument.name
        if name in taken:
            name = f"{owner}_{name}"
        while name in taken or not name.isidentifier():
            name = f"p_{name}" if not name.isidentifier() else f"{name}_"
        self.result.parameters.append(Parameter(kind, values, name, argument.default))
        self.result.words[name] = argument.name
        return name


def _growth(values: list[list[Any]]) -> tuple[int, ...] | None:
    """Return the increment of each row per step, None if a row does not grow evenly."""
    if all(len(set(map(repr, row))) == 1 for row in values):
        return (0,) * len(values)
    if not all(type(value) is int for row in values for value in row):
        return None
    if max(map(len, values)) < 3:  # two numbers always grow evenly
        return None
    steps: list[int | None] = []
    for row in values:
        between = {after - before for before, after in pairwise(row)}
        if len(between) > 1:
            return None
        steps.append(between.pop() if between else None)
    usual = next(step for step in steps if step is not None)
    return tuple(usual if step is None else step for step in steps)


def _derived(parameter: Parameter, kind: str, values: tuple[Any, ...]) -> Derived | None:
    """Return the expression that computes a column of values from a parameter, if there is one."""
    if parameter.kind == kind and is_equal(values, parameter.values):
        return Derived(parameter)
    if (parameter.kind, kind) == ("kernel_size", "padding"):
        return Derived(parameter, by=2) if is_half(values, parameter.values) else None
    if (parameter.kind, kind) != (SIZES, SIZES):
        return None
    factor = factor_of(values, parameter.values)
    return None if factor is None else Derived(parameter, *factor)
