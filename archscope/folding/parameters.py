"""Instances of a block -> its parameters, and what its layers say in terms of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from archscope.folding.blocks import representatives
from archscope.folding.expressions import (
    MISSING,
    Condition,
    Derived,
    FoldedBlock,
    Parameter,
    factor_of,
    is_equal,
    is_half,
)
from archscope.folding.naming import parameter_name
from archscope.folding.numbers import Cell, cells_of, column_of
from archscope.folding.pieces import Chain, Item, all_chains, instances_in, weight

CHANNELS = ("out", "groups", "start", "stop")
"""Attributes that count channels, and so may follow from the width of a value."""
ONES = ("stride", "groups", "dilation")
"""Attributes that are 1 unless they are said."""
ORDER = {"out": 0, "kernel": 1, "depth": 3}
"""The places of kinds of parameters; all others stand between."""


def blocks_of(chain: Chain) -> dict[str, FoldedBlock]:
    """Return the blocks of a chain, inner ones first, and fill in what each instance gives."""
    instances = instances_in(chain)
    written: dict[str, list[Item]] = {}
    for inner in representatives(chain):
        for item in inner:
            if item.is_block:
                written.setdefault(item.word, []).append(item)
    blocks: dict[str, FoldedBlock] = {}

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
    word: str,
    example: Item,
    instances: list[Item],
    written: list[Item],
    blocks: dict[str, FoldedBlock],
) -> FoldedBlock:
    rows = [
        {cell.path: cell for cell in cells_of([instance.body], (), blocks)}
        for instance in instances
    ]
    entering: list[int | None] = [
        instance.entry[0] if instance.entry else None for instance in instances
    ]
    if any(item.lead for item in example.body):
        entering = [None] * len(entering)  # what enters the first turn only
    block = FoldedBlock(word, example)
    columns = [column_of(cell, rows) for cell in cells_of([example.body], (), blocks)]
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


def _said(column: Cell, block: FoldedBlock, entering: list[int | None]) -> Any:
    """Return what the block says of a number: MISSING where an inner block's default holds."""
    present = [value for value in column.values if value is not MISSING]
    if column.usual or not present:
        return MISSING
    if all(value == present[0] for value in present):
        return present[0]
    derived = _derived(column, block, entering)
    if derived is not None:
        return derived
    parameter = Parameter(column.kind, column.values)
    block.parameters.append(parameter)
    return Derived(parameter)


def _derived(column: Cell, block: FoldedBlock, entering: list[int | None]) -> Derived | None:
    """Return how a number follows from a parameter or from channels, if it does."""
    for parameter in block.parameters:
        if parameter.kind == column.kind and is_equal(column.values, parameter.values):
            return Derived(parameter)
        if (parameter.kind, column.kind) == ("kernel", "padding") and is_half(
            column.values, parameter.values
        ):
            return Derived(parameter, by=2)
    if column.kind not in CHANNELS:
        return None
    widths = [(width, width.values) for width in block.parameters if width.kind == "out"]
    sources: list[tuple[Parameter | str, Sequence[Any]]] = [
        *widths, ("in.channels", entering), ("x.channels", column.channels),
    ]  # fmt: skip
    for source, values in sources:
        if is_equal(column.values, values):
            return Derived(source)
    for source, values in sources:
        factor = factor_of(column.values, values)
        if factor is not None:
            return Derived(source, *factor)
    return None


def condition(column: Cell, block: FoldedBlock, entering: list[int | None]) -> Any:
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
    strides: list[Parameter | None] = [
        parameter for parameter in block.parameters if parameter.kind == "stride"
    ]
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


def _name(block: FoldedBlock) -> None:
    """Name the parameters: of several widths the last is `out`, what the block gives."""
    widths = [parameter for parameter in block.parameters if parameter.kind == "out"]
    taken: set[str] = set()
    for parameter in block.parameters:
        parameter.name = parameter_name(
            "width" if parameter in widths[:-1] else parameter.kind, taken
        )
        taken.add(parameter.name)
    block.parameters.sort(key=lambda parameter: ORDER.get(parameter.kind, 2))


def _set_default(parameter: Parameter, block: FoldedBlock, written: list[Item]) -> None:
    """Give a parameter the default that most instances want, if it is not what makes them."""
    given = [row.args.get(parameter.name, MISSING) for row in written]
    known = [value for value in given if value is not MISSING]
    if parameter.kind == "padding":
        for kernel in block.parameters:
            if kernel.kind == "kernel":
                parameter.halved = kernel
                fits = [parameter.usual(row.args) == row.args[parameter.name] for row in written]
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
