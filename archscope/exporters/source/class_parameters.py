"""What equal blocks differ in: the parameters of their class, as few as say it all."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

from msgspec import Struct, field

from archscope.exporters.source.calls import SIZES, Argument, arguments
from archscope.exporters.source.constructor import Block, Kind, Layer, Part, Run, kinds
from archscope.exporters.source.functions import Path, Scope

FEW = 4  # so many blocks that differ are plainer one by one than in a loop
MOST = 64  # a factor beyond is chance, not design


class Param(Struct, frozen=True):
    """A parameter of a class."""

    name: str
    word: str  # what it is in torch's words: `out_channels`
    kind: str
    default: Any
    values: tuple[Any, ...]  # for each instance


class Word(Struct, frozen=True):
    """One argument as it is written; `keyword` is empty where it stands by its place."""

    keyword: str
    text: str


class Row(Struct, frozen=True):
    """A part of a class as it is written: a call, or a loop of calls."""

    path: Path
    target: str | int  # a module of torch, or the number of a class
    words: tuple[Word, ...]
    base: str = ""  # of a loop: names without their numbers
    start: int = 0
    count: str = ""
    each: str = ""  # what a loop goes along: the name of one
    all: str = ""  # and the text of all


class Class(Struct, frozen=True):
    """A class: its parameters, its parts, and what was said of each instance."""

    kind: Kind
    params: list[Param] = field(default_factory=list)
    rows: list[Row] = field(default_factory=list)


class _UnevenError(Exception):
    """Blocks in a row that differ in too much to be a loop."""


def classes(root: Scope) -> list[Class]:
    """Return the classes of a network, each after those that it uses; the network is the last."""
    plain: set[Path] = set()  # where blocks in a row are written one by one
    while True:
        made = _classes(kinds(root, plain), plain)
        if made is not None:
            return made


def _classes(kinds: list[Kind], plain: set[Path]) -> list[Class] | None:
    """Return the classes, None if some blocks are better written one by one."""
    made: list[Class] = []
    given: dict[Path, dict[str, Any]] = {}  # the parameters of each instance
    for kind in kinds:
        maker = _Maker(kind, made, given)
        try:
            made.append(maker.make())
        except _UnevenError:
            plain.update(scope.path for scope, _ in kind.instances)
            return None
        for number, (scope, _) in enumerate(kind.instances):
            given[scope.path] = {one.name: one.values[number] for one in made[-1].params}
    return made


class _Maker:
    """Makes one class of its instances."""

    def __init__(self, kind: Kind, made: list[Class], given: dict[Path, dict[str, Any]]) -> None:
        self.kind, self.made, self.given = kind, made, given
        self.result = Class(kind)

    def make(self) -> Class:
        columns = zip(*(parts for _, parts in self.kind.instances), strict=True)
        for parts in columns:
            first = parts[0]
            if isinstance(first, Layer):
                self.result.rows.append(self._layer(first, parts))
            elif isinstance(first, Run):
                self.result.rows.append(self._run(first, parts))
            else:
                self.result.rows.append(self._block(first, parts))
        return self.result

    def _layer(self, first: Layer, parts: tuple[Part, ...]) -> Row:
        calls = [arguments(part.call) for part in parts if isinstance(part, Layer)]
        words = []
        for column in zip(*calls, strict=True):
            values = tuple(one.value for one in column)
            argument = column[0]
            if argument.name == "inplace":  # where one may not, none does
                values = (all(values),) * len(values)
            text = self._text(argument, argument.kind, values, first.path[-1])
            if text is not None:
                words.append(Word("" if argument.positional else argument.name, text))
        return Row(first.path, first.call.target, tuple(words))

    def _block(self, first: Block, parts: tuple[Part, ...]) -> Row:
        rows = [self.given[part.scope.path] for part in parts if isinstance(part, Block)]
        words = []
        for param in self.made[first.number].params:
            values = tuple(row[param.name] for row in rows)
            argument = Argument(param.word, values[0], param.default)
            text = self._text(argument, param.kind, values, first.path[-1])
            if text is not None:
                words.append(Word(param.name, text))
        return Row(first.path, first.number, tuple(words))

    def _run(self, first: Run, parts: tuple[Part, ...]) -> Row:
        runs = [part for part in parts if isinstance(part, Run)]
        counts = tuple(len(run.scopes) for run in runs)
        params = self.made[first.number].params
        values = {
            param.name: [[self.given[s.path][param.name] for s in run.scopes] for run in runs]
            for param in params
        }
        lists = [param for param in params if _growth(values[param.name]) is None]
        if set(counts) == {1}:
            path = (f"{first.base}{first.start}",)
            blocks = tuple(Block(path, run.scopes[0], run.number) for run in runs)
            return self._block(blocks[0], blocks)
        few = len(set(counts)) == 1 and counts[0] <= FEW
        if len(lists) > 1 or (lists and few):
            raise _UnevenError
        count = self._text(Argument(f"{first.base or 'part'}s", counts[0]), "count", counts, "")
        assert count is not None
        words, along = [], ("", "")
        for param in params:
            if param in lists:
                name = f"each_{param.word}"
                rows = tuple(map(tuple, values[param.name]))
                argument = Argument(f"all_{param.word}", rows[0])
                along = name, self._text(argument, f"all {param.kind}", rows, first.base) or ""
                words.append(Word(param.name, name))
            else:
                text = self._even(param, values[param.name], first.base)
                words += [Word(param.name, text)] if text else []
        return Row(
            (first.base,), first.number, tuple(words), first.base, first.start, count, *along
        )

    def _even(self, param: Param, values: list[list[Any]], owner: str) -> str | None:
        """Return a parameter in a loop over which it stays or grows, None if it is left out."""
        starts, steps = tuple(row[0] for row in values), _growth(values)
        assert steps is not None
        if not any(steps):
            return self._text(
                Argument(param.word, starts[0], param.default), param.kind, starts, owner
            )
        start = self._text(Argument(param.word, starts[0]), param.kind, starts, owner)
        step = self._text(Argument("growth", steps[0]), "growth", steps, owner)
        return f"{start} + i * {step}"

    def _text(
        self, argument: Argument, kind: str, values: tuple[Any, ...], owner: str
    ) -> str | None:
        """Return an argument as it is written, None if it can be left out."""
        if len({repr(value) for value in values}) == 1:
            return None if repr(values[0]) == repr(argument.default) else literal(values[0])
        for param in self.result.params:
            said = _said(param, kind, values)
            if said:
                return said
        taken = {param.name for param in self.result.params}
        name = argument.name
        if name in taken:
            name = f"{owner}_{name}"
        while name in taken or not name.isidentifier():
            name = f"p_{name}" if not name.isidentifier() else f"{name}_"
        self.result.params.append(Param(name, argument.name, kind, argument.default, values))
        return name


def _growth(values: list[list[Any]]) -> tuple[int, ...] | None:
    """Return by how much each row grows with every step, None if one does not grow evenly."""
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


def _said(param: Param, kind: str, values: tuple[Any, ...]) -> str | None:
    """Return a column of values in terms of a parameter, None if it does not follow from it."""
    if param.kind == kind and list(map(repr, param.values)) == list(map(repr, values)):
        return param.name
    whole = all(type(value) is int and value > 0 for value in (*param.values, *values))
    pairs = list(zip(param.values, values, strict=True))
    if (param.kind, kind) == ("kernel_size", "padding"):
        numbers = all(type(value) is int for pair in pairs for value in pair)
        return f"{param.name} // 2" if numbers and all(a // 2 == b for a, b in pairs) else None
    if not whole or kind != SIZES or param.kind != SIZES:
        return None
    first, other = pairs[0]
    factor = other // first
    if 1 < factor <= MOST and all(b == factor * a for a, b in pairs):
        return f"{factor} * {param.name}"
    factor = first // other
    if 1 < factor <= MOST and all(a == factor * b for a, b in pairs):
        return f"{param.name} // {factor}"
    return None


def literal(value: Any) -> str:
    """Return a value as Python reads it."""
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return f'float("{value}")'
    if isinstance(value, str):
        return '"' + repr(value)[1:-1].replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        inner = ", ".join(map(literal, value))
        return f"({inner},)" if len(value) == 1 else f"({inner})"
    return repr(value)
