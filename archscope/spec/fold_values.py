"""Instances of a block -> its parameters, and what its layers say in terms of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

from msgspec import Struct

from archscope.spec.fold_blocks import representatives
from archscope.spec.fold_item import Chain, Item, all_chains, instances_in, weight
from archscope.spec.fold_names import parameter_name

Path = tuple[Any, ...]
MISSING: Any = object()
"""The number of a layer that an instance does not have."""
FACTORS = range(2, 33)
ONES = ("stride", "groups", "dilation")
"""Attributes that are 1 unless they are said."""
ORDER = {"out": 0, "kernel": 1, "depth": 3}
"""The places of kinds of parameters; all others stand between."""


class Parameter(Struct, eq=False):
    """A parameter of a block."""

    kind: str  # the attribute that it began with
    values: list[Any]  # in each instance
    name: str = ""
    default: Any = None
    halved: Parameter | None = None  # the kernel, of which this is half by default

    def usual(self, args: dict[str, Any]) -> Any:
        """Return what it is in an instance that does not say it."""
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
        name = self.source if isinstance(self.source, str) else self.source.name
        if self.times > 1:
            return f"{self.times}*{name}"
        return f"{name}//{self.by}" if self.by > 1 else name


class Condition(Struct, eq=False):
    """What decides whether an instance of a block has a shortcut of its own."""

    stride: Parameter | None = None
    out: Derived | None = None

    @property
    def text(self) -> str:
        """The expression."""
        parts = [] if self.stride is None else [f"{self.stride.name} != 1"]
        if self.out is not None:
            parts.append(f"in.channels != {self.out}")
        return f"={' or '.join(parts)}"


class Cell(Struct, eq=False):
    """A number of one layer in all instances of a block."""

    path: Path
    kind: str
    values: list[Any]
    channels: list[int | None]  # of what enters the layer
    usual: bool = False  # whether it is the default of an inner block in every instance


class Block(Struct, eq=False):
    """A block that will be written."""

    name: str
    example: Item
    parameters: list[Parameter] = []
    texts: dict[Path, Any] = {}  # what its layers say: a number, or a Derived


def blocks_of(chain: Chain) -> dict[str, Block]:
    """Return the blocks of a chain, inner ones first, and fill in what each instance gives."""
    instances = instances_in(chain)
    written: dict[str, list[Item]] = {}
    for inner in representatives(chain):
        for item in inner:
            if item.is_block:
                written.setdefault(item.word, []).append(item)
    blocks: dict[str, Block] = {}

    def resolve(word: str) -> None:
        if word in blocks:
            return
        example = max(instances[word], key=weight)
        for inner in all_chains(example.body):
            for item in inner:
                if item.is_block:
                    resolve(item.word)
        blocks[word] = _block(word, example, instances[word], written[word], blocks)

    for word in instances:
        resolve(word)
    return blocks


def _block(
    word: str, example: Item, instances: list[Item], written: list[Item], blocks: dict[str, Block]
) -> Block:
    rows = [{cell.path: cell for cell in _cells([one.body], (), blocks)} for one in instances]
    entering: list[int | None] = [one.entry[0] if one.entry else None for one in instances]
    if any(item.lead for item in example.body):
        entering = [None] * len(entering)  # what enters the first turn only
    block = Block(word, example)
    columns = [_column(cell, rows) for cell in _cells([example.body], (), blocks)]
    columns.sort(key=lambda column: any(value is MISSING for value in column.values))
    for column in columns:
        if column.kind != "when":
            block.texts[column.path] = _said(column, block, entering)
    for column in columns:
        if column.kind == "when" and len({*column.values} - {MISSING}) == 2:
            block.texts[column.path] = condition(column, block, entering)
    _name(block)
    for i, one in enumerate(instances):
        one.args = {
            parameter.name: parameter.values[i]
            for parameter in block.parameters
            if parameter.values[i] is not MISSING
        }
    for parameter in block.parameters:
        _set_default(parameter, block, written)
    return block


def _cells(copies: Sequence[Chain], path: Path, blocks: dict[str, Block]) -> Iterator[Cell]:
    """Yield the numbers of a chain; `copies` are turns of a run, whose shapes may differ."""
    for place, items in enumerate(zip(*copies, strict=True)):
        item, here = items[0], (*path, place)
        entries = {one.entry[0] if one.entry else None for one in items}
        channels = [entries.pop() if len(entries) == 1 else None]
        if item.is_run:
            yield Cell((*here, "repeat"), "depth", [len(item.copies)], channels)
            if item.lead:
                yield from _lead_cells(items, here, blocks)
            else:
                turns = [turn for one in items for turn in one.copies]
                yield from _cells(turns, (*here, 0), blocks)
            continue
        if item.is_block:
            for parameter in blocks[item.word].parameters:
                name = parameter.name
                value = item.args.get(name, MISSING)
                usual = all(
                    one.args.get(name, MISSING) in (MISSING, parameter.usual(one.args))
                    for one in items
                )
                yield Cell((*here, name), parameter.kind, [value], channels, usual)
            continue
        for name, value in item.args.items():
            yield Cell((*here, name), name, [value], channels)
        if item.word == "add" and len(item.branches) == 2:
            for number, branch in enumerate(item.branches):
                yield Cell((*here, number, "when"), "when", [bool(branch)], channels)
        for number in range(len(item.branches)):
            inner = [one.branches[number] for one in items]
            yield from _cells(inner, (*here, number), blocks)


def _lead_cells(runs: Sequence[Item], path: Path, blocks: dict[str, Block]) -> Iterator[Cell]:
    """Yield the numbers of the first turn of runs, then those of the others."""
    firsts = list(_cells([run.copies[0] for run in runs], (*path, 0), blocks))
    rest = [turn for run in runs for turn in run.copies[1:]]
    others = list(_cells(rest, (*path, 1), blocks))
    usual = {one.path[-1]: one.usual for one in others}
    for first in firsts:
        first.usual = usual[first.path[-1]] = first.usual and usual.get(first.path[-1], False)
    for other in others:
        other.usual = usual[other.path[-1]]
    yield from firsts
    yield from others


def _column(cell: Cell, rows: list[dict[Path, Cell]]) -> Cell:
    found = [row.get(cell.path) for row in rows]
    values = [MISSING if one is None else one.values[0] for one in found]
    channels = [None if one is None else one.channels[0] for one in found]
    usual = all(one is None or one.usual for one in found)
    return Cell(cell.path, cell.kind, values, channels, usual)


def _said(column: Cell, block: Block, entering: list[int | None]) -> Any:
    """Return what the block says of a number: MISSING where an inner block's default holds."""
    present = [value for value in column.values if value is not MISSING]
    if column.usual or not present:
        return MISSING
    if all(value == present[0] for value in present):
        return present[0]
    for source, values, factors in _sources(column, block, entering):
        pairs = [
            (value, other)
            for value, other in zip(column.values, values, strict=True)
            if value is not MISSING
        ]
        derived = _derived(source, pairs, factors, exact=column.kind != "padding")
        if derived is not None:
            return derived
    parameter = Parameter(column.kind, column.values)
    block.parameters.append(parameter)
    return Derived(parameter)


def _sources(
    column: Cell, block: Block, entering: list[int | None]
) -> Iterator[tuple[Parameter | str, list[Any], bool]]:
    """Yield what a number may be computed from, and whether factors are allowed."""
    same = [one for one in block.parameters if one.kind == column.kind]
    for one in same:
        yield one, one.values, False
    if column.kind == "padding":
        for one in block.parameters:
            if one.kind == "kernel":
                yield one, one.values, True
    if column.kind not in ("out", "groups", "start", "stop"):
        return
    widths = [one for one in block.parameters if one.kind == "out"]
    for factors in (False, True):
        if factors or column.kind != "out":
            yield from ((one, one.values, factors) for one in widths)
        yield "in.channels", entering, factors
        yield "x.channels", column.channels, factors


def _derived(
    source: Parameter | str, pairs: list[tuple[Any, Any]], factors: bool, exact: bool
) -> Derived | None:
    """Return how values follow from a source, if they do."""
    if not all(_is_whole(value) and _is_whole(other) for value, other in pairs):
        if isinstance(source, str) or factors:
            return None
        return Derived(source) if all(value == other for value, other in pairs) else None
    if not factors:
        return Derived(source) if all(value == other for value, other in pairs) else None
    if not exact:
        half = all(other // 2 == value for value, other in pairs)
        return Derived(source, by=2) if half else None
    value, other = pairs[0]
    if other and value % other == 0 and value // other in FACTORS:
        times = value // other
        if all(times * other == value for value, other in pairs):
            return Derived(source, times=times)
    if value and other % value == 0 and other // value in FACTORS:
        by = other // value
        if all(value * by == other for value, other in pairs):
            return Derived(source, by=by)
    return None


def condition(column: Cell, block: Block, entering: list[int | None]) -> Any:
    """Return what says in which instances a branch is not the identity."""
    *start, _ = column.path
    outs = [
        said
        for path, said in block.texts.items()
        if isinstance(said, Derived)
        and path[: len(start)] == tuple(start)
        and not isinstance(said.source, str)
        and said.source.kind == "out"
    ]
    strides: list[Parameter | None] = [one for one in block.parameters if one.kind == "stride"]
    for out in (*outs[-1:], None):
        for stride in (None, *strides):
            if out is None and stride is None:
                continue
            holds = [_holds(out, stride, i, entering[i]) for i in range(len(column.values))]
            if holds == column.values:
                return Condition(stride, out)
    parameter = Parameter("project", column.values)
    block.parameters.append(parameter)
    return Derived(parameter)


def _holds(out: Derived | None, stride: Parameter | None, i: int, entering: int | None) -> bool:
    if stride is not None and stride.values[i] not in (1, MISSING):
        return True
    if out is None or isinstance(out.source, str):
        return False
    return bool(out.source.values[i] * out.times // out.by != entering)


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _name(block: Block) -> None:
    """Name the parameters: of several widths the last is `out`, what the block gives."""
    widths = [one for one in block.parameters if one.kind == "out"]
    taken: set[str] = set()
    for one in block.parameters:
        one.name = parameter_name("width" if one in widths[:-1] else one.kind, taken)
        taken.add(one.name)
    block.parameters.sort(key=lambda one: ORDER.get(one.kind, 2))


def _set_default(parameter: Parameter, block: Block, written: list[Item]) -> None:
    """Give a parameter the default that most instances want, if it is not what makes them."""
    given = [one.args.get(parameter.name, MISSING) for one in written]
    known = [value for value in given if value is not MISSING]
    if parameter.kind == "padding":
        for kernel in block.parameters:
            if kernel.kind == "kernel":
                parameter.halved = kernel
                fits = [parameter.usual(one.args) == one.args[parameter.name] for one in written]
                if 2 * sum(fits) > len(fits):
                    return
                parameter.halved = None
    common, count = Counter(known).most_common(1)[0]
    if parameter.kind in ONES and 1 in parameter.values:
        parameter.default = 1
    elif any(value is MISSING for value in parameter.values) or (
        count > 1 and 2 * count >= len(given) and parameter.kind not in ("out", "depth")
    ):
        parameter.default = common
