"""CSV: tables whose numbers keep all their digits."""

from __future__ import annotations

import csv
from io import StringIO

from archscope.report.table import CommandOutput, Table, exact


def render(output: CommandOutput, screen: bool = False) -> str:
    """Return the tables as CSV, without titles, lines and totals."""
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for part in [output.records()] if output.records else output.parts:
        if isinstance(part, Table):
            writer.writerow([column.key or column.name for column in part.columns])
            kinds = [column.kind for column in part.columns]
            for row in part.rows:
                writer.writerow([exact(v, kind) for v, kind in zip(row, kinds, strict=True)])
    return file.getvalue()
