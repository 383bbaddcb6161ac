"""Tables for the terminal, with rich."""

from __future__ import annotations

import sys
from io import StringIO
from typing import Any, Literal

from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from archscope.report.table import NUMBERS, TEXT, Table, readable

WIDTH = 120  # where no terminal says how wide it is


def console(file: Any = None) -> Console:
    """Return a console for a file, by default standard output."""
    file = file or sys.stdout
    if file.isatty():
        return Console(file=file, highlight=False)
    return Console(file=file, width=WIDTH, highlight=False, no_color=True)


def render(parts: list[Table | str], out: Console) -> None:
    """Print tables and lines of text."""
    for part in parts:
        if isinstance(part, Table):
            if part.title:
                out.print(Text(part.title), soft_wrap=True)
            _print(part, out)
        else:
            out.print(Text(part), soft_wrap=True)


def text(parts: list[Table | str]) -> str:
    """Return tables and lines as plain text."""
    file = StringIO()
    render(parts, console(file))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _print(table: Table, out: Console) -> None:
    """Print a table: aligned lines if they fit, else rich's, which breaks long texts."""
    lines = _lines(table)
    if len(lines[0]) > out.width:
        out.print(_rich(table))
        return
    last = len(lines) - len(table.totals)
    for number, line in enumerate(lines):
        bold = number == 0 or number >= last
        out.print(Text(line.rstrip(), style="bold" if bold else ""), soft_wrap=True)
    out.print()


def _lines(table: Table) -> list[str]:
    """Return heading, rule, rows and totals as lines; rich takes a millisecond for each."""
    heading = [column.name for column in table.columns]
    kinds = [column.kind for column in table.columns]
    rows = [_cells(row, kinds) for row in (*table.rows, *table.totals)]
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]

    def line(cells: list[str]) -> str:
        aligned = (
            cell.rjust(width) if kind in NUMBERS else cell.ljust(width)
            for cell, width, kind in zip(cells, widths, kinds, strict=True)
        )
        return f" {'   '.join(aligned)} "

    rule = f" {'─' * (sum(widths) + 3 * len(widths) - 3)} "
    body = [line(row) for row in rows[: len(table.rows)]]
    totals = [line(row) for row in rows[len(table.rows) :]]
    return [line(heading), rule, *body, *([" "] if totals else []), *totals]


def _rich(table: Table) -> RichTable:
    rich = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        right = column.kind in NUMBERS
        keep = column.kind != TEXT  # a number or shape that wraps is hard to read
        justify: Literal["left", "right"] = "right" if right else "left"
        rich.add_column(column.name, justify=justify, overflow="fold", no_wrap=keep)
    kinds = [column.kind for column in table.columns]
    for row in table.rows:
        rich.add_row(*map(Text, _cells(row, kinds)))
    if table.totals:
        rich.add_section()
    for row in table.totals:
        rich.add_row(*map(Text, _cells(row, kinds)), style="bold")
    return rich


def _cells(row: tuple[Any, ...], kinds: list[str]) -> list[str]:
    return [readable(value, kind) for value, kind in zip(row, kinds, strict=True)]
