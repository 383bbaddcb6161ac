"""The numbers in the layers of blocks as columns: their values in all instances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from archscope.folding.expressions import MISSING, FoldedBlock, Path
from archscope.folding.pieces import Chain, Piece


class Column(Struct, eq=False):
    """A number of one layer in all instances of a block."""

    path: Path
    kind: str
    values: list[Any]
    channels: list[int | None]  # of what enters the layer
    usual: bool = False  # whether it is the default of an inner block in every instance


def columns_in(
    copies: Sequence[Chain], path: Path, blocks: Mapping[str, FoldedBlock]
) -> Iterator[Column]:
    """Yield the numbers of an instance; `copies` are iterations of a run, with different shapes."""
    for place, pieces in enumerate(zip(*copies, strict=True)):
        piece, here = pieces[0], (*path, place)
        entries = {other.entry[0] if other.entry else None for other in pieces}
        channels = [entries.pop() if len(entries) == 1 else None]
        if piece.is_run:
            yield Column((*here, "repeat"), "depth", [len(piece.copies)], channels)
            if piece.first_differs:
                yield from _in_uneven_run(pieces, here, blocks)
            else:
                turns = [turn for other in pieces for turn in other.copies]
                yield from columns_in(turns, (*here, 0), blocks)
            continue
        if piece.is_block:
            for parameter in blocks[piece.word].parameters:
                name = parameter.name
                value = piece.args.get(name, MISSING)
                usual = all(
                    other.args.get(name, MISSING) in (MISSING, parameter.usual(other.args))
                    for other in pieces
                )
                yield Column((*here, name), parameter.kind, [value], channels, usual)
            continue
        for name, value in piece.args.items():
            yield Column((*here, name), name, [value], channels)
        if piece.word == "add" and len(piece.branches) == 2:
            for number, branch in enumerate(piece.branches):
                yield Column((*here, number, "when"), "when", [bool(branch)], channels)
        for number in range(len(piece.branches)):
            inner = [other.branches[number] for other in pieces]
            yield from columns_in(inner, (*here, number), blocks)


def _in_uneven_run(
    runs: Sequence[Piece], path: Path, blocks: Mapping[str, FoldedBlock]
) -> Iterator[Column]:
    """Yield the numbers of a run whose first iteration differs: those of it, then the others."""
    firsts = list(columns_in([run.copies[0] for run in runs], (*path, 0), blocks))
    rest = [turn for run in runs for turn in run.copies[1:]]
    others = list(columns_in(rest, (*path, 1), blocks))
    usual = {other.path[-1]: other.usual for other in others}
    for first in firsts:
        first.usual = usual[first.path[-1]] = first.usual and usual.get(first.path[-1], False)
    for other in others:
        other.usual = usual[other.path[-1]]
    yield from firsts
    yield from others


def column_of(number: Column, instances: Sequence[Mapping[Path, Column]]) -> Column:
    """Return a number of an instance with its values in all instances."""
    found = [instance.get(number.path) for instance in instances]
    values = [MISSING if other is None else other.values[0] for other in found]
    channels = [None if other is None else other.channels[0] for other in found]
    usual = all(other is None or other.usual for other in found)
    return Column(number.path, number.kind, values, channels, usual)
