"""Analyses side by side."""

from __future__ import annotations

from collections.abc import Sequence

from archscope.analysis.bundle import Analysis
from archscope.report.analysis import field_text
from archscope.report.table import BYTES, COUNT, NAME, RATIO, SHAPE, Column, Table
from archscope.report.zoo import inputs


def comparison_table(results: Sequence[Analysis]) -> Table:
    """Return one row for each network, with its macs and params relative to the first."""
    first = results[0].totals
    columns = (
        Column("network", NAME),
        Column("input", SHAPE),
        Column("params", COUNT),
        Column("ratio", RATIO, "params_ratio"),
        Column("macs", COUNT),
        Column("ratio", RATIO, "macs_ratio"),
        Column("access", BYTES, "memory_access_bytes"),
        Column("peak", BYTES, "peak_activation_bytes"),
        Column("macs/B", RATIO, "macs_per_byte"),
        Column("depth", COUNT),
        Column("field", NAME),
    )
    rows = tuple(
        (
            result.name,
            inputs(result),
            result.totals.params,
            _ratio(result.totals.params, first.params),
            result.totals.macs,
            _ratio(result.totals.macs, first.macs),
            result.totals.memory_access_bytes,
            result.totals.peak_activation_bytes,
            result.totals.macs_per_byte,
            result.totals.depth,
            field_text(result.receptive_field),
        )
        for result in results
    )
    return Table("", columns, rows)


def _ratio(value: int, base: int) -> float | None:
    return value / base if base else None
