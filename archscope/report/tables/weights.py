"""Statistics of weights as tables."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from archscope.ir import text_of
from archscope.report.sparkline import sparkline
from archscope.report.table import (
    COUNT,
    MEASURE,
    NAME,
    PICTURE,
    SHAPE,
    SHARE,
    Column,
    Part,
    Table,
    table_of,
)
from archscope.units import format_count
from archscope.weight_differences import WeightDifference, WeightDifferences
from archscope.weight_statistics import WeightStatistics


def weights_parts(name: str, found: Sequence[WeightStatistics]) -> list[Part]:
    """Return a row for each tensor, and lines about all of them."""
    tensors = table_of(
        found,
        (Column("weights", NAME), lambda item: item.name),
        (Column("shape", SHAPE), lambda item: item.shape),
        (Column("dtype", wide=True), lambda item: item.dtype),
        (Column("mean", MEASURE), lambda item: item.mean),
        (Column("std", MEASURE), lambda item: item.std),
        (Column("least", MEASURE), lambda item: item.least),
        (Column("largest", MEASURE), lambda item: item.largest),
        (Column("zeros", SHARE), lambda item: item.zeros / item.values if item.zeros else None),
        (Column("zero rows", COUNT, "zero_rows", rank=2), lambda item: item.zero_rows or None),
        (Column("levels", COUNT), _shown_levels),
        (Column("histogram", PICTURE, rank=0), lambda item: sparkline(item.histogram)),
        title=name,
    )
    return [tensors, *_lines(found)]


def weights_records(found: Sequence[WeightStatistics]) -> Table:
    """Return a row for each tensor with all its statistics, for CSV."""
    fields = WeightStatistics.__struct_fields__
    columns = tuple(Column(field, SHAPE if field == "shape" else COUNT) for field in fields)
    rows = (tuple(getattr(item, field) for field in fields) for item in found)
    return Table("", columns, tuple((*row[:-1], " ".join(map(str, row[-1]))) for row in rows))


def weights_record(name: str, found: Sequence[WeightStatistics]) -> dict[str, Any]:
    """Return the statistics for programs."""
    return {"format": 1, "name": name, "weights": found}


def weight_difference_parts(name: str, other: str, found: WeightDifferences) -> list[Part]:
    """Return a row for each tensor that both weights have, and lines about all of them."""
    tensors = table_of(
        found.tensors,
        (Column("weights", NAME), lambda item: item.name),
        (Column("shape", SHAPE), lambda item: item.shape),
        (Column("changed", SHARE), lambda item: item.changed / item.values if item.changed else 0),
        (Column("largest difference", MEASURE), lambda item: item.largest),
        (Column("relative", MEASURE), lambda item: item.relative),
        (Column("cosine", MEASURE), lambda item: item.cosine),
        (Column("levels", NAME), _both_levels),
        title=f"{name} against {other}",
    )
    values = sum(item.values for item in found.tensors)
    changed = sum(item.changed for item in found.tensors)
    lines = [
        "the same weights" if found.same
        else f"{_share(changed, values)} of {format_count(values)} values in"
        f" {len(found.tensors)} tensors differ"
    ]  # fmt: skip
    lines += [
        f"{tensor} has shape {text_of(new)}, there {text_of(old)}"
        for tensor, (old, new) in found.reshaped.items()
    ]
    for where, names in ((other, found.only_first), (name, found.only_second)):
        if names:
            lines.append(f"only in {where}: {', '.join(names)}")
    return [tensors, *lines]


def weight_difference_records(found: WeightDifferences) -> Table:
    """Return a row for each tensor with all its differences, for CSV."""
    return table_of(
        found.tensors,
        *(
            (Column(field, COUNT), attrgetter(field))
            for field in WeightDifference.__struct_fields__
            if field not in ("shape", "levels")
        ),
        (Column("shape", SHAPE), lambda item: item.shape),
        (Column("levels_before", COUNT), lambda item: item.levels[0]),
        (Column("levels_after", COUNT), lambda item: item.levels[1]),
    )


def _both_levels(item: WeightDifference) -> str:
    """Return the distinct values before and after; nothing where both are many or as many."""
    before, after = item.levels
    if before == after or item.values in (before, after):
        return ""
    return f"{before or 'many'} -> {after or 'many'}"


def _shown_levels(item: WeightStatistics) -> int | None:
    """Return the distinct values of a tensor, None where they say nothing: each is another."""
    return item.levels if item.levels is not None and item.levels < item.values else None


def _lines(found: Sequence[WeightStatistics]) -> list[str]:
    values, zeros = sum(item.values for item in found), sum(item.zeros for item in found)
    rows = {item.name: item.zero_rows for item in found if item.zero_rows}
    lines = [f"{format_count(values)} values in {len(found)} tensors, {_share(zeros, values)} zero"]
    if rows:
        most = max(rows, key=lambda name: rows[name])
        count = sum(rows.values())
        lines.append(f"rows of zeros, which read nothing of their input: {count:,}, most in {most}")
    broken = [f"{item.name} ({item.not_finite:,})" for item in found if item.not_finite]
    if broken:
        lines.append(f"not finite: {', '.join(broken)}")
    return lines


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "none"
