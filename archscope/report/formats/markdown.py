"""GitHub Markdown."""

from __future__ import annotations

import re
from typing import Any

from archscope.printable import printable
from archscope.report.table import NUMBERS, CommandOutput, Heading, Part, Table, readable

_MARKS = re.compile(r"[\\`*<|]|\](?=[(\[:])|~(?=~)|&(?=[#\w]+;)|_(?![^\W_])|(?<![^\W_])_")
_BLOCK = re.compile(r"^(\s*)([#>=+])")


def render(output: CommandOutput, screen: bool = False) -> str:
    """Write tables, headings and lines as Markdown, escaping the text of tables and headings."""
    return "\n\n".join(map(_part, output.parts)) + "\n"


def _part(part: Part) -> str:
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Heading):
        return f"### {_inline(part.text)}"
    return "\n".join(map(_line, part.rstrip("\n").split("\n")))


def _table(table: Table) -> str:
    alignments = ["---:" if column.kind in NUMBERS else "---" for column in table.columns]
    lines = [f"**{_inline(table.title)}**", ""] if table.title else []
    lines += [_row([_inline(column.name) for column in table.columns]), _row(alignments)]
    lines += [_row(_cells(table, row)) for row in (*table.rows, *table.totals)]
    return "\n".join(lines)


def _cells(table: Table, row: tuple[Any, ...]) -> list[str]:
    pairs = zip(row, table.columns, strict=True)
    return [_inline(readable(value, column.kind)) for value, column in pairs]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _line(text: str) -> str:
    """Return a line that may contain Markdown, but no HTML and no block other than a list."""
    parts = printable(text).split("`")  # HTML is literal between backticks
    parts[::2] = [part.replace("<", "&lt;") for part in parts[::2]]
    return _BLOCK.sub(r"\1\\\2", "`".join(parts))


def _inline(text: str) -> str:
    """Escape a text for Markdown and HTML, on one line."""
    return _MARKS.sub(_escape, printable(" ".join(text.split("\n"))))


def _escape(match: re.Match[str]) -> str:
    return {"<": "&lt;", "&": "&amp;"}.get(match[0], f"\\{match[0]}")
