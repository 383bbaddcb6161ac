"""Networks as rows: the comparison, and the list of the zoo."""

from __future__ import annotations

import re
from collections.abc import Sequence

from archscope.analysis.result import Analysis
from archscope.report.table import BYTES, COUNT, NAME, RATIO, SHAPE, Column, Table
from archscope.report.tables.analysis import at_least, field_text
from archscope.units import format_count

ACCESS = Column("access", BYTES, "memory_access_bytes")
PEAK = Column("peak", BYTES, "peak_activation_bytes")


def comparison_table(results: Sequence[Analysis]) -> Table:
    """Return one row for each network, with its macs and params relative to the first."""
    first = results[0]
    columns = (
        Column("network", NAME), Column("input", SHAPE),
        Column("params", COUNT), Column("ratio", RATIO, "params_ratio"),
        Column("macs", COUNT), Column("ratio", RATIO, "macs_ratio"),
        ACCESS, PEAK, Column("macs/B", RATIO, "macs_per_byte"),
        Column("depth", COUNT), Column("field", NAME),
    )  # fmt: skip
    rows = tuple(
        (
            result.name,
            _input(result),
            result.totals.params,
            _ratio(result.totals.params, first.totals.params),
            _macs(result),
            None
            if at_least(result)["macs"] or at_least(first)["macs"]
            else _ratio(result.totals.macs, first.totals.macs),
            result.totals.memory_access_bytes,
            result.totals.peak_activation_bytes,
            result.totals.macs_per_byte,
            result.totals.depth,
            field_text(result.receptive_field),
        )
        for result in results
    )
    return Table("", columns, rows)


def zoo_table(results: Sequence[Analysis]) -> Table:
    """Return one row for each network, with what it is and where it was published."""
    columns = (
        Column("network", NAME), Column("input", SHAPE), Column("params", COUNT),
        Column("macs", COUNT), ACCESS, PEAK, Column("field", NAME), Column("depth", COUNT),
        Column("year", NAME), Column("about", wide=True), Column("paper", wide=True),
    )  # fmt: skip
    rows = tuple(
        (
            result.name,
            _input(result),
            result.totals.params,
            result.totals.macs,
            result.totals.memory_access_bytes,
            result.totals.peak_activation_bytes,
            field_text(result.receptive_field),
            result.totals.depth,
            _year(result.about),
            result.about,
            result.paper,
        )
        for result in results
    )
    return Table("", columns, rows)


def _input(result: Analysis) -> object:
    """Return the shape of the one input, or how many there are."""
    several = isinstance(result.input, dict)
    return f"{len(result.input)} inputs" if several else result.input


def _year(about: str) -> str:
    """Return the year of publication that a description names."""
    match = re.search(r"\b(?:19|20)[0-9]{2}\b", about)
    return match[0] if match else ""


def _macs(result: Analysis) -> int | str:
    """Return the macs, as text with `>=` if some are unknown."""
    more = at_least(result)["macs"]
    return f"{more}{format_count(result.totals.macs)}" if more else result.totals.macs


def _ratio(value: int, base: int) -> float | None:
    return value / base if base else None
