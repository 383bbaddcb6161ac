"""The results of `archscope verify` as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archscope.report.table import COUNT, NAME, Column, Part, Table

if TYPE_CHECKING:
    from archscope.verify import Verification

LISTED = 20  # the most differences to list per check

CHECKS = (
    Column("network", NAME),
    Column("numbers"),
    Column("oracle"),
    Column("compared", COUNT),
    Column("differences", COUNT),
    Column("note"),
)
DIFFERENCES = (Column("node", NAME), Column("archscope"), Column("oracle"))


def verification_parts(results: Sequence[Verification]) -> list[Part]:
    """Return a row for each check of each network, then the differences."""
    checks = [(result.name, check) for result in results for check in result.checks]
    rows = tuple(
        (name, check.name, check.oracle, check.compared, len(check.differences), check.note)
        for name, check in checks
    )
    parts: list[Part] = [Table("", CHECKS, rows)]
    for name, check in checks:
        if check.differences:
            listed = tuple((d.node, d.ours, d.theirs) for d in check.differences[:LISTED])
            what = check.differences[0].what
            title = f"{name}: {check.name} against {check.oracle}, {what}"
            parts.append(Table(title, DIFFERENCES, listed))
        if len(check.differences) > LISTED:
            parts.append(f"and {len(check.differences) - LISTED} more")
    return parts
