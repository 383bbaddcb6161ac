"""Find the parameters that a block needs, and the expressions of its layers.

Instances of a block differ in numbers. A number that is equal in all instances is written
literally; one that follows from a parameter or from channels becomes an expression; any other
becomes a parameter.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import product
from operator import eq
from typing import Any

from archscope.folding.blocks import representatives
from archscope.folding.columns import Column, column_of, columns_in
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
from archscope.folding.pieces import Chain, Piece, inner_first, weight

CHANNELS = ("out", "groups", "start", "stop")
"""Attributes that count channels, so that they may follow from the width of a value."""
ONES = ("stride", "groups", "dilation")
"""Attributes whose usual value is 1."""
ORDER = {"out": 0, "kernel": 1, "depth": 3}
"""The order of parameters by kind; all others are 2."""


def blocks_of(chain: Chain) -> dict[str, FoldedBlock]:
    """Return the blocks of a chain, inner ones first, and set the arguments of each instance."""
    written: dict[str, list[Piece]] = {}
    for inner in representatives(chain):
        for piece in inner:
            if piece.is_block:
                written.setdefault(piece.word, []).append(piece)
    blocks: dict[str, FoldedBlock] = {}
    for word, instances in inner_first(chain).items():
        blocks[word] = _block(word, instances, written[word], blocks)
    return blocks


def _block(
    word: str, instances: list[Piece], written: list[Piece], blocks: dict[str, FoldedBlock]
) -> FoldedBlock:
    example = max(instances, key=weight)
    by_instance = [
        {column.path: column for column in columns_in([instance.body], (), blocks)}
        for instance in instances
    ]
    uneven = any(
        piece.first_differs for piece in example.body
    )  # the input is that of one iteration
    entering = [None if uneven or not piece.entry else piece.entry[0] for piece in instances]
    block = FoldedBlock(word, example)
    columns = [column_of(column, by_instance) for column in columns_in([example.body], (), blocks)]
    columns.sort(key=lambda column: any(value is MISSING for value in column.values))
    for column in columns:
        if column.kind != "when":
            block.texts[column.path] = _said(column, block, entering)
    for column in columns:
        if column.kind == "when" and len({*column.values} - {MISSING}) == 2:
            block.texts[column.path] = condition(column, block, entering)
    _name(block)
    for i, instance in enumerate(instances):
        instance.args = {
            parameter.name: parameter.values[i]
            for parameter in block.parameters
            if parameter.values[i] is not MISSING
        }
    for parameter in block.parameters:
        _set_default(parameter, block, written)
    return block


def _said(column: Column, block: FoldedBlock, entering: list[int | None]) -> Any:
    """Return the arguments of the layers of a block: MISSING where an inner default applies."""
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


def _derived(column: Column, block: FoldedBlock, entering: list[int | None]) -> Derived | None:
    """Return the expression of a number in terms of a parameter or channels, if there is one."""
    for parameter in block.parameters:
        if parameter.kind == column.kind and is_equal(column.values, parameter.values):
            return Derived(parameter)
        halved = (parameter.kind, column.kind) == ("kernel", "padding")
        if halved and is_half(column.values, parameter.values):
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


def condition(column: Column, block: FoldedBlock, entering: list[int | None]) -> Any:
    """Return the condition that holds in the instances in which a branch is not the identity."""
    *start, _ = column.path
    outs = [
        said
        for path, said in block.texts.items()
        if isinstance(said, Derived)
        and path[: len(start)] == tuple(start)
        and not isinstance(said.source, str)
        and said.source.kind == "out"
    ]
    strides = [parameter for parameter in block.parameters if parameter.kind == "stride"]
    for out, stride in product((*outs[-1:], None), (None, *strides)):
        if out is not None or stride is not None:
            holds = [_holds(out, stride, i, width) for i, width in enumerate(entering)]
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
    """Name the parameters; the last of several widths, that of the block's output, is `out`."""
    widths = [parameter for parameter in block.parameters if parameter.kind == "out"]
    taken: set[str] = set()
    for parameter in block.parameters:
        wanted = "width" if parameter in widths[:-1] else parameter.kind
        parameter.name = parameter_name(wanted, taken)
        taken.add(parameter.name)
    block.parameters.sort(key=lambda parameter: ORDER.get(parameter.kind, 2))


def _set_default(parameter: Parameter, block: FoldedBlock, written: list[Piece]) -> None:
    """Set the default of a parameter to its most frequent value.

    Widths and depths have none: they distinguish instances.
    """
    given = [instance.args.get(parameter.name, MISSING) for instance in written]
    known = [value for value in given if value is not MISSING]
    if parameter.kind == "padding":
        for kernel in block.parameters:
            if kernel.kind == "kernel":
                parameter.halved = kernel
                usual = [parameter.usual(instance.args) for instance in written]
                if 2 * sum(map(eq, usual, given)) > len(given):
                    return
                parameter.halved = None
    common, count = Counter(known).most_common(1)[0]
    if parameter.kind in ONES and 1 in parameter.values:
        parameter.default = 1
    elif any(value is MISSING for value in parameter.values) or (
        count > 1 and 2 * count >= len(given) and parameter.kind not in ("out", "depth")
    ):
        parameter.default = common
