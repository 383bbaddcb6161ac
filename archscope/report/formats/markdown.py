"""GitHub Markdown."""

from __future__ import annotations

from typing import Any

from archscope.report.table import NUMBERS, CommandOutput, Heading, Part, Table, readable


def render(output: CommandOutput, screen: bool = False) -> str:
    """Return tables, headings and lines as Markdown."""
    return "\n\n".join(map(_part, output.parts)) + "\n"


def _part(part: Part) -> str:
    if isinstance(part, Table):
        return _table(part)
    return f"### {part.text}" if isinstance(part, Heading) else part.rstrip("\n")


def _table(table: Table) -> str:
    alignments = ["---:" if column.kind in NUMBERS else "---" for column in table.columns]
    lines = [f"**{table.title}**", ""] if table.title else []
    lines += [_line([column.name for column in table.columns]), _line(alignments)]
    lines += [_line(_cells(table, row)) for row in (*table.rows, *table.totals)]
    return "\n".join(lines)


def _cells(table: Table, row: tuple[Any, ...]) -> list[str]:
    pairs = zip(row, table.columns, strict=True)
    return [readable(value, column.kind).replace("|", r"\|") for value, column in pairs]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
