"""Tables as CSV, every number with all its digits."""

from __future__ import annotations

import csv
from io import StringIO

from archscope.report.table import Table, exact


def text(parts: list[Table | str]) -> str:
    """Return the tables as CSV; lines of text and totals, which a program can add up, are left."""
    file = StringIO()
    writer = csv.writer(file, lineterminator="\n")
    for part in parts:
        if isinstance(part, Table):
            writer.writerow([column.key or column.name for column in part.columns])
            kinds = [column.kind for column in part.columns]
            for row in part.rows:
                writer.writerow([exact(v, kind) for v, kind in zip(row, kinds, strict=True)])
    return file.getvalue()
