"""Tables as GitHub Markdown."""

from __future__ import annotations

from typing import Any

from archscope.report.table import NUMBERS, Table, readable


def text(parts: list[Table | str]) -> str:
    """Return tables and lines as Markdown."""
    return "\n\n".join(_table(part) if isinstance(part, Table) else part for part in parts) + "\n"


def _table(table: Table) -> str:
    marks = ["---:" if column.kind in NUMBERS else "---" for column in table.columns]
    lines = [f"**{table.title}**", ""] if table.title else []
    lines += [_line([column.name for column in table.columns]), _line(marks)]
    for row in (*table.rows, *table.totals):
        lines.append(_line(_cells(table, row)))
    return "\n".join(lines)


def _cells(table: Table, row: tuple[Any, ...]) -> list[str]:
    pairs = zip(row, table.columns, strict=True)
    return [readable(value, column.kind).replace("|", r"\|") for value, column in pairs]


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
