"""Tables for the terminal: aligned lines, or rich's tables where text has to be wrapped.

Most tables fit, and importing rich takes longer than analysing the network.
"""

from __future__ import annotations

import shutil
import sys

import click
from msgspec import structs

from archscope.report.table import NUMBERS, TEXT, CommandOutput, Heading, Part, Table, readable

WIDTH = 120  # unless a terminal says how wide it is
GAP = 3  # spaces between columns


def render(output: CommandOutput, screen: bool = False) -> str:
    """Return tables and lines as text; on a screen as wide as that, with bold headings."""
    on_terminal = screen and sys.stdout.isatty()
    width = shutil.get_terminal_size((WIDTH, 0)).columns if on_terminal else WIDTH
    return "".join(_part(part, width, screen) for part in output.parts)


def _part(part: Part, width: int, styled: bool) -> str:
    if isinstance(part, Table):
        return _table(_narrow(part), width, styled)
    return f"{part.text if isinstance(part, Heading) else part}\n"


def _narrow(table: Table) -> Table:
    """Return a table without its wide columns."""
    kept = [number for number, column in enumerate(table.columns) if not column.wide]
    if len(kept) == len(table.columns):
        return table
    rows, totals = (
        tuple(tuple(row[number] for number in kept) for row in part)
        for part in (table.rows, table.totals)
    )
    columns = tuple(table.columns[number] for number in kept)
    return structs.replace(table, columns=columns, rows=rows, totals=totals)


def _table(table: Table, width: int, styled: bool) -> str:
    title = f"{table.title}\n" if table.title else ""
    kinds = [column.kind for column in table.columns]
    rows = [
        [readable(value, kind) for value, kind in zip(row, kinds, strict=True)]
        for row in (*table.rows, *table.totals)
    ]
    heading = [column.name for column in table.columns]
    widths = [max(map(len, column)) for column in zip(heading, *rows, strict=True)]
    if sum(widths) + GAP * len(widths) > width:
        return title + _wrapped(table, rows, width, styled)
    lines = [_line(cells, widths, kinds) for cells in (heading, *rows)]
    rule = f" {'─' * (sum(widths) + GAP * (len(widths) - 1))}"
    if styled:
        bold = {0, *range(len(lines) - len(table.totals), len(lines))}
        lines = [
            click.style(line, bold=True) if number in bold else line
            for number, line in enumerate(lines)
        ]
    body = lines[1 : len(table.rows) + 1]
    totals = lines[len(table.rows) + 1 :]
    return title + "\n".join([lines[0], rule, *body, *([""] if totals else []), *totals]) + "\n\n"


def _line(cells: list[str], widths: list[int], kinds: list[str]) -> str:
    aligned = (
        cell.rjust(width) if kind in NUMBERS else cell.ljust(width)
        for cell, width, kind in zip(cells, widths, kinds, strict=True)
    )
    return f" {(' ' * GAP).join(aligned)}".rstrip()


def _wrapped(table: Table, rows: list[list[str]], width: int, styled: bool) -> str:
    """Return a table that is too wide, with its texts wrapped."""
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
            no_wrap=column.kind != TEXT,  # a wrapped number or shape is hard to read
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
