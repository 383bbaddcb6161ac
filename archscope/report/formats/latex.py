r"""LaTeX, for papers: tables of the package booktabs, those of many rows of longtable."""

from __future__ import annotations

import re
from typing import Any

from archscope.printable import printable
from archscope.report.sparkline import HEIGHTS, WIDTHS
from archscope.report.table import (
    NUMBERS,
    SHAPE,
    Column,
    CommandOutput,
    Heading,
    Part,
    Table,
    readable,
)

PAGE = 40
"""The rows of a table that fit on a page."""

_SPECIAL = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "<": r"\textless{}", ">": r"\textgreater{}", "|": r"\textbar{}", "-": "{-}", '"': "''",
    "`": r"\textasciigrave{}", "'": r"\textquotesingle{}",
    "<=": r"$\leq$", ">=": r"$\geq$", "->": r"$\rightarrow$",
    **{mark: f"\\{mark}" for mark in "&%$#_{}"},
    **{mark: f"{{{mark}}}" for mark in "[*"},  # which have a meaning at the start of a line
    **{mark: f"\\rule{{.4em}}{{.{place}em}}" for place, mark in enumerate(HEIGHTS) if place},
    **{mark: f"\\rule{{.{5 * place:02}em}}{{.8em}}" for place, mark in enumerate(WIDTHS) if place},
}  # fmt: skip
_GAP = r"\rule{.4em}{0pt}"  # in a sparkline
_MARKS = re.compile(r"(?<=[▁-█]) (?=[ ▁-█])|<=|>=|->|-(?=-)|[^\w\s.,:;!?()\]/+=@-]|_")
_TIMES = re.compile(r"(?<=\d)x(?=\d)")


def render(output: CommandOutput, screen: bool = False) -> str:
    r"""Write tables, headings and lines as the body of a LaTeX document, for `\input`."""
    packages = "% needs the packages booktabs, longtable and textcomp"
    parts = "\n\n\\medskip\n".join(map(_part, output.parts))
    return f"{packages}\n\n{parts}\n"


def _part(part: Part) -> str:
    if isinstance(part, Table):
        return _table(part)
    if isinstance(part, Heading):
        return f"\\subsection*{{{_inline(part.text)}}}"
    return " \\\\\n".join(map(_inline, filter(None, part.split("\n"))))


def _table(table: Table) -> str:
    """Return a table; the heading of one that is longer than a page is repeated on each."""
    long = len(table.rows) + len(table.totals) > PAGE
    kind = "longtable" if long else "tabular"
    alignments = "".join("r" if column.kind in NUMBERS else "l" for column in table.columns)
    lines = [f"\\textbf{{{_inline(table.title)}}}", ""] if table.title else []
    lines += [f"\\begin{{{kind}}}{{{alignments}}}", r"\toprule"]
    lines += [_row([_inline(column.name) for column in table.columns]), r"\midrule"]
    lines += [r"\endhead"] if long else []
    lines += [_row(_cells(table, row)) for row in table.rows]
    lines += [r"\midrule"] if table.rows and table.totals else []
    lines += [_row(_cells(table, row)) for row in table.totals]
    return "\n".join([*lines, r"\bottomrule", f"\\end{{{kind}}}"])


def _cells(table: Table, row: tuple[Any, ...]) -> list[str]:
    return [_cell(value, column) for value, column in zip(row, table.columns, strict=True)]


def _cell(value: Any, column: Column) -> str:
    """Return a cell: units after a thin space, minus signs and signs of products as in formulas."""
    text = _inline(readable(value, column.kind))
    if column.kind == SHAPE:
        return _TIMES.sub(r"$\\times$", text)
    if column.kind in NUMBERS:
        return re.sub(r"^-(?=\d)", "$-$", text).replace(" ", r"\,")
    return text


def _row(cells: list[str]) -> str:
    return f"{' & '.join(cells)} \\\\"


def _inline(text: str) -> str:
    """Escape a text for LaTeX, on one line."""
    return _MARKS.sub(_escape, printable(" ".join(text.split("\n"))))


def _escape(match: re.Match[str]) -> str:
    return _GAP if match[0] == " " else _SPECIAL.get(match[0], match[0])
