"""Networks in a list, as the zoo shows them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from archscope.analysis.bundle import Analysis
from archscope.report.table import BYTES, COUNT, NAME, SHAPE, Column, Table
from archscope.report.tables.analysis import field_text

ACCESS, PEAK = "memory_access_bytes", "peak_activation_bytes"


def zoo_table(results: Sequence[Analysis], *, wide: bool) -> Table:
    """Return one row for each network; `wide` adds about and paper, where lines may be long."""
    columns: list[tuple[Column, Callable[[Analysis], object]]] = [
        (Column("network", NAME), lambda one: one.name),
        (Column("input", SHAPE), inputs),
        (Column("params", COUNT), lambda one: one.totals.params),
        (Column("macs", COUNT), lambda one: one.totals.macs),
        (Column("access", BYTES, ACCESS), lambda one: one.totals.memory_access_bytes),
        (Column("peak", BYTES, PEAK), lambda one: one.totals.peak_activation_bytes),
        (Column("field", NAME), lambda one: field_text(one.receptive_field)),
        (Column("depth", COUNT), lambda one: one.totals.depth),
        (Column("year", NAME), lambda one: year(one.about)),
    ]
    if wide:
        columns += [
            (Column("about"), lambda one: one.about),
            (Column("paper"), lambda one: one.paper),
        ]
    rows = tuple(tuple(value(result) for _, value in columns) for result in results)
    return Table("", tuple(column for column, _ in columns), rows)


def inputs(result: Analysis) -> object:
    """Return the shape of the one input, or how many there are."""
    several = isinstance(result.input, dict)
    return f"{len(result.input)} inputs" if several else result.input


def year(about: str) -> str:
    """Return the year of publication that a description names."""
    match = re.search(r"\b(?:19|20)[0-9]{2}\b", about)
    return match[0] if match else ""
