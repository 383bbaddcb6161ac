"""Tables for the terminal: aligned, never wider than the screen, and without cut numbers.

If a table is too wide, its headings and names are wrapped, then its texts; columns that still do
not fit are left out, and a line below the table names them. A file or a pipe gets names unbroken,
so that they can be searched for, and all columns.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from itertools import zip_longest

import click
from msgspec import Struct

from archscope.printable import printable, width_of
from archscope.report.table import (
    NAME,
    NUMBERS,
    TEXT,
    Column,
    CommandOutput,
    Heading,
    Part,
    Table,
    readable,
)
from archscope.report.wrapping import longest_piece, longest_word, wrapped

WIDTH = 120  # of text, if the width of the terminal is unknown
GAP = 3  # spaces between columns
NARROW = {NAME: 16, TEXT: 24}  # the least widths to wrap to


class _Screen(Struct, frozen=True):
    """The width of lines, whether columns may be left out for it, and whether bold is available."""

    width: int
    strict: bool
    bold: bool


def render(output: CommandOutput, screen: bool = False) -> str:
    """Write tables and lines as text; on a screen within its width and with bold headings.

    A file or a pipe gets all columns, so its lines may be longer. `COLUMNS` sets the width for a
    pipe; `NO_COLOR` turns off bold as well.
    """
    seen = _screen(screen)
    return "".join(_part(part, seen, output.wide) for part in output.parts)


def _screen(screen: bool) -> _Screen:
    on_terminal = screen and sys.stdout is not None and sys.stdout.isatty()
    strict = on_terminal or (screen and os.environ.get("COLUMNS", "").isdecimal())
    width = _columns() if strict else WIDTH
    return _Screen(width, strict, on_terminal and not os.environ.get("NO_COLOR"))


def _columns() -> int:
    """Return the width of the terminal."""
    from shutil import get_terminal_size  # takes time, as it loads compressors

    return get_terminal_size((WIDTH, 0)).columns


def _part(part: Part, screen: _Screen, wide: bool) -> str:
    if isinstance(part, Table):
        return _table(part, screen, wide)
    return f"{printable(part.text if isinstance(part, Heading) else part, lines=True)}\n"


class _Cells(Struct):
    """A formatted column: its heading, its cells and their width."""

    column: Column
    name: str
    cells: list[str]
    width: int

    def least(self, *, whole: bool) -> int:
        """Return the width below which a number, a shape or a word of the heading would be cut.

        If `whole`, it is also the width of names, and that of the longest word of texts.
        """
        heading = longest_piece(self.name)
        if self.column.kind not in NARROW or (whole and self.column.kind == NAME):
            return max(heading, *map(width_of, self.cells), 0)
        longest = max(map(longest_word if whole else longest_piece, self.cells), default=0)
        return max(heading, longest, min(NARROW[self.column.kind], self.width))


def _table(table: Table, screen: _Screen, wide: bool) -> str:
    shown = [_cells(table, n) for n, column in enumerate(table.columns) if wide or not column.wide]
    lost = [] if wide or _total(shown) <= screen.width else _fit(shown, screen)
    lines = [_lines([column.name for column in shown], shown)]
    lines += [_lines(row, shown) for row in zip(*(column.cells for column in shown), strict=True)]
    if screen.bold:
        for number in (0, *range(len(table.rows) + 1, len(lines))):
            lines[number] = [click.style(line, bold=True) for line in lines[number]]
    rule = f" {'─' * (_total(shown) - 1)}"
    heading, body, totals = lines[0], lines[1 : len(table.rows) + 1], lines[len(table.rows) + 1 :]
    parts = [[printable(table.title)] if table.title else [], heading, [rule], *body]
    parts += [
        *([[""]] if totals else []),
        *totals,
        wrapped(_omission(table, lost), screen.width) if lost else [],
    ]
    return "\n".join(line for part in parts for line in part) + "\n\n"


def _cells(table: Table, number: int) -> _Cells:
    column = table.columns[number]
    cells = [printable(readable(row[number], column.kind)) for row in (*table.rows, *table.totals)]
    name = printable(column.name)
    return _Cells(column, name, cells, max(map(width_of, (name, *cells))))


def _fit(shown: list[_Cells], screen: _Screen) -> list[Column]:
    """Make columns narrower, remove those that do not fit, and return the removed ones."""
    natural = {id(column): column.width for column in shown}
    for column in shown:
        column.width = column.least(whole=not screen.strict)
    lost: list[Column] = []
    while screen.strict and len(shown) > 1 and _total(shown) > screen.width:
        places = range(len(shown) - 1, 0, -1)  # the first column identifies the row
        lost.append(shown.pop(min(places, key=lambda place: shown[place].column.rank)).column)
    for kinds in ({column.column.kind for column in shown} - {NAME, TEXT}, {NAME}, {TEXT}):
        room = max(0, screen.width - _total(shown))
        broken = [column for column in shown if column.column.kind in kinds]
        missing = sum(natural[id(column)] - column.width for column in broken)
        for column in broken:
            more = natural[id(column)] - column.width
            column.width += more if missing <= room else room * more // missing
    return lost


def _total(shown: Sequence[_Cells]) -> int:
    return 1 + sum(column.width for column in shown) + GAP * (len(shown) - 1)


def _omission(table: Table, lost: Sequence[Column]) -> str:
    """Return the line that names the omitted columns."""
    names = [column.name for column in table.columns]
    words = [
        column.name if column.name and names.count(column.name) == 1 else column.key or "another"
        for column in table.columns
        if any(column is other for other in lost)
    ]
    count = "1 column does" if len(lost) == 1 else f"{len(lost)} columns do"
    return f"{count} not fit: {', '.join(map(printable, words))}; --wide shows all"


def _lines(cells: Sequence[str], shown: Sequence[_Cells]) -> list[str]:
    """Return a row as lines, as many as its tallest cell has."""
    broken = [wrapped(cell, column.width) for cell, column in zip(cells, shown, strict=True)]
    return [
        f" {(' ' * GAP).join(map(_aligned, texts, shown))}".rstrip()
        for texts in zip_longest(*broken, fillvalue="")
    ]


def _aligned(text: str, column: _Cells) -> str:
    space = " " * (column.width - width_of(text))
    return space + text if column.column.kind in NUMBERS else text + space
