"""Tables of plug-ins: their items, and the results of checks."""

from __future__ import annotations

from collections.abc import Sequence

from archscope.contracts.check import Outcome
from archscope.plugins.catalogue import Listed
from archscope.plugins.kinds import KINDS
from archscope.report.table import COUNT, NAME, Column, Table, table_of


def plugin_table(listed: Sequence[Listed]) -> Table:
    """Return a row for each item of a plug-in."""
    return table_of(
        listed,
        (Column("kind", NAME), lambda row: KINDS[row.kind].noun if row.kind else ""),
        (Column("name", NAME), lambda row: row.name),
        (Column("from", NAME, "plugin"), lambda row: row.plugin),
        (Column("version", NAME), lambda row: row.version),
        (Column("file", NAME), lambda row: row.file),
        (Column("error", wide=True), lambda row: row.error),
    )


def check_table(outcomes: Sequence[Outcome]) -> Table:
    """Return a row for each checked item."""
    return table_of(
        outcomes,
        (Column("kind", NAME), lambda row: KINDS[row.kind].noun),
        (Column("name", NAME), lambda row: row.name),
        (Column("checks", COUNT), lambda row: row.checks),
        (Column("broken", COUNT), lambda row: len(row.broken)),
        (Column("not checked", COUNT), lambda row: len(row.unchecked)),
    )
