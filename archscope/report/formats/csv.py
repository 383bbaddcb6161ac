"""CSV: tables with all digits of numbers, and nothing that a spreadsheet takes for a formula."""

from __future__ import annotations

import csv
import re
from io import StringIO
from typing import Any

from archscope.printable import printable
from archscope.report.table import CommandOutput, Table, exact

_FORMULA = re.compile(r"\s*[=+\-@|%]")
_NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?( ?[\w%/]+)?\Z")


def render(output: CommandOutput, screen: bool = False) -> str:
    """Write the tables as CSV, without titles, lines and totals.

    A text that a spreadsheet would take for a formula is prefixed with an apostrophe, as OWASP
    recommends; control characters become escapes.
    """
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for part in [output.records()] if output.records else output.parts:
        if isinstance(part, Table):
            writer.writerow([_text(column.key or column.name) for column in part.columns])
            kinds = [column.kind for column in part.columns]
            for row in part.rows:
                writer.writerow([_cell(v, kind) for v, kind in zip(row, kinds, strict=True)])
    return file.getvalue()


def _cell(value: Any, kind: str) -> str:
    text = exact(value, kind)
    return text if isinstance(value, int | float) else _text(text)


def _text(text: str) -> str:
    text = printable(text, lines=True)
    return f"'{text}" if _FORMULA.match(text) and not _NUMBER.match(text) else text
