"""The numbers in the layers of a chain, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from archscope.folding.expressions import MISSING, FoldedBlock, Path
from archscope.folding.pieces import Chain, Item


class Cell(Struct, eq=False):
    """A number of one layer in all instances of a block."""

    path: Path
    kind: str
    values: list[Any]
    channels: list[int | None]  # of what enters the layer
    usual: bool = False  # whether it is the default of an inner block in every instance


def cells_of(
    copies: Sequence[Chain], path: Path, blocks: Mapping[str, FoldedBlock]
) -> Iterator[Cell]:
    """Yield the numbers of a chain; `copies` are turns of a run, whose shapes may differ."""
    for place, items in enumerate(zip(*copies, strict=True)):
        item, here = items[0], (*path, place)
        entries = {one.entry[0] if one.entry else None for one in items}
        channels = [entries.pop() if len(entries) == 1 else None]
        if item.is_run:
            yield Cell((*here, "repeat"), "depth", [len(item.copies)], channels)
            if item.lead:
                yield from _lead(items, here, blocks)
            else:
                turns = [turn for one in items for turn in one.copies]
                yield from cells_of(turns, (*here, 0), blocks)
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
            yield from cells_of(inner, (*here, number), blocks)


def _lead(runs: Sequence[Item], path: Path, blocks: Mapping[str, FoldedBlock]) -> Iterator[Cell]:
    """Yield the numbers of the first turn of runs, then those of the others."""
    firsts = list(cells_of([run.copies[0] for run in runs], (*path, 0), blocks))
    rest = [turn for run in runs for turn in run.copies[1:]]
    others = list(cells_of(rest, (*path, 1), blocks))
    usual = {other.path[-1]: other.usual for other in others}
    for first in firsts:
        first.usual = usual[first.path[-1]] = first.usual and usual.get(first.path[-1], False)
    for other in others:
        other.usual = usual[other.path[-1]]
    yield from firsts
    yield from others


def column_of(cell: Cell, rows: Sequence[Mapping[Path, Cell]]) -> Cell:
    """Return a number of one instance with what it is in all of them."""
    found = [row.get(cell.path) for row in rows]
    values = [MISSING if one is None else one.values[0] for one in found]
    channels = [None if one is None else one.channels[0] for one in found]
    usual = all(one is None or one.usual for one in found)
    return Cell(cell.path, cell.kind, values, channels, usual)
