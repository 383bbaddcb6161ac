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
            out.print(_table(part))
        else:
            out.print(Text(part), soft_wrap=True)


def text(parts: list[Table | str]) -> str:
    """Return tables and lines as plain text."""
    file = StringIO()
    render(parts, console(file))
    return "\n".join(line.rstrip() for line in file.getvalue().splitlines()) + "\n"


def _table(table: Table) -> RichTable:
    rich = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        right = column.kind in NUMBERS
        keep = column.kind != TEXT  # a number or shape that wraps is hard to read
        justify: Literal["left", "right"] = "right" if right else "left"
        rich.add_column(column.name, justify=justify, overflow="fold", no_wrap=keep)
    kinds = [column.kind for column in table.columns]
    for row in table.rows:
        rich.add_row(*_cells(row, kinds))
    if table.totals:
        rich.add_section()
    for row in table.totals:
        rich.add_row(*_cells(row, kinds), style="bold")
    return rich


def _cells(row: tuple[Any, ...], kinds: list[str]) -> list[Text]:
    return [Text(readable(value, kind)) for value, kind in zip(row, kinds, strict=True)]
