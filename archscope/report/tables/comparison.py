"""Analyses side by side."""

from __future__ import annotations

from collections.abc import Sequence

from archscope.analysis.bundle import Analysis
from archscope.report.table import BYTES, COUNT, NAME, RATIO, SHAPE, Column, Table
from archscope.report.tables.analysis import at_least, field_text
from archscope.report.tables.zoo_list import inputs
from archscope.units import format_count


def comparison_table(results: Sequence[Analysis]) -> Table:
    """Return one row for each network, with its macs and params relative to the first."""
    first = results[0].totals
    less = {result.name for result in results if at_least(result)["macs"]}
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
            _macs(result),
            None
            if less & {result.name, results[0].name}
            else _ratio(result.totals.macs, first.macs),
            result.totals.memory_access_bytes,
            result.totals.peak_activation_bytes,
            result.totals.macs_per_byte,
            result.totals.depth,
            field_text(result.receptive_field),
        )
        for result in results
    )
    return Table("", columns, rows)


def _macs(result: Analysis) -> int | str:
    """Return the macs, or in words that they are at least so many."""
    more = at_least(result)["macs"]
    return f"{more}{format_count(result.totals.macs)}" if more else result.totals.macs


def _ratio(value: int, base: int) -> float | None:
    return value / base if base else None
