"""Tables for the terminal: aligned lines, or rich's tables where texts must be broken.

Most tables fit, and loading rich costs more than analysing the network.
"""

from __future__ import annotations

import shutil
import sys
from typing import Any

import click

from archscope.report.table import NUMBERS, TEXT, Table, readable

WIDTH = 120  # where no terminal says how wide it is
GAP = 3  # blanks between columns


def render(parts: list[Table | str]) -> None:
    """Print tables and lines of text on standard output, as wide as it is."""
    width = shutil.get_terminal_size((WIDTH, 0)).columns if sys.stdout.isatty() else WIDTH
    click.echo(text(parts, width, styled=True), nl=False)


def text(parts: list[Table | str], width: int = WIDTH, styled: bool = False) -> str:
    """Return tables and lines as text of a width; `styled` marks headings and totals."""
    blocks = [
        _table(part, width, styled) if isinstance(part, Table) else f"{part}\n" for part in parts
    ]
    return "".join(blocks)


def _table(table: Table, width: int, styled: bool) -> str:
    title = f"{table.title}\n" if table.title else ""
    kinds = [column.kind for column in table.columns]
    rows = [_cells(row, kinds) for row in (*table.rows, *table.totals)]
    heading = [column.name for column in table.columns]
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    if sum(widths) + GAP * len(widths) > width:
        return title + _broken(table, rows, width, styled)
    lines = [_line(cells, widths, kinds) for cells in (heading, *rows)]
    rule = f" {'─' * (sum(widths) + GAP * (len(widths) - 1))}"
    if styled:
        marked = {0, *range(len(lines) - len(table.totals), len(lines))}
        lines = [
            click.style(line, bold=True) if number in marked else line
            for number, line in enumerate(lines)
        ]
    body = lines[1 : len(table.rows) + 1]
    totals = lines[len(table.rows) + 1 :]
    return title + "\n".join([lines[0], rule, *body, *([""] if totals else []), *totals]) + "\n\n"


def _cells(row: tuple[Any, ...], kinds: list[str]) -> list[str]:
    return [readable(value, kind) for value, kind in zip(row, kinds, strict=True)]


def _line(cells: list[str], widths: list[int], kinds: list[str]) -> str:
    aligned = (
        cell.rjust(width) if kind in NUMBERS else cell.ljust(width)
        for cell, width, kind in zip(cells, widths, kinds, strict=True)
    )
    return f" {(' ' * GAP).join(aligned)}".rstrip()


def _broken(table: Table, rows: list[list[str]], width: int, styled: bool) -> str:
    """Return a table that is too wide, with its texts broken into lines."""
    from io import StringIO

    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table as RichTable
    from rich.text import Text

    rich = RichTable(box=SIMPLE_HEAD, pad_edge=False)
    for column in table.columns:
        rich.add_column(
            column.name,
            justify="right" if column.kind in NUMBERS else "left",
            overflow="fold",
            no_wrap=column.kind != TEXT,  # a number or shape that is broken is hard to read
        )
    for number, cells in enumerate(rows):
        if table.totals and number == len(table.rows):
            rich.add_section()
        total = number >= len(table.rows)
        rich.add_row(*map(Text, cells), style="bold" if total else "")
    file = StringIO()
    Console(file=file, width=width, highlight=False, force_terminal=styled).print(rich)
    lines = [line.rstrip() for line in file.getvalue().splitlines()]
    return "\n".join(lines).strip("\n") + "\n\n"
