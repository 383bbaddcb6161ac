"""The differences of two networks as tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from archscope.analysis.difference import LayerChange
from archscope.analysis.result import Analysis
from archscope.ir import text_of
from archscope.metrics import METRICS, Metric
from archscope.report.table import COUNT, NAME, Column, Part, Table
from archscope.report.tables.analysis import at_least
from archscope.units import format_count

MARKS = {"added": "+", "removed": "-", "changed": "~", "reshaped": "~"}


def difference_parts(
    before: Analysis, after: Analysis, changes: Sequence[LayerChange], title: str
) -> list[Part]:
    """Return the totals of both networks, and the layers that differ in more than shapes."""
    listed = [
        change
        for change in changes
        if change.kind not in ("renamed", "reshaped") or change.params[0] != change.params[1]
    ]
    parts: list[Part] = [totals_table(before, after, title)]
    if listed:
        columns = (
            Column("", NAME), Column("layer", NAME), Column("op", NAME), Column("change", NAME),
            Column("params", COUNT), Column("macs", COUNT),
        )  # fmt: skip
        parts.append(Table("layers", columns, tuple(_rows(listed))))
    parts += _rest([change for change in changes if change not in listed], bool(listed))
    return parts


def totals_table(before: Analysis, after: Analysis, title: str) -> Table:
    """Return every metric that either network has: before, after, change."""
    columns = (
        Column("total", NAME), Column("before", COUNT), Column("after", COUNT),
        Column("change", COUNT),
    )  # fmt: skip
    rows = []
    for metric in METRICS.values():
        old, new = metric.of_network(before), metric.of_network(after)
        if old is None and new is None:
            continue
        rows.append((
            metric.label, _value(metric, old, before), _value(metric, new, after),
            change_text(metric, old, new),
        ))  # fmt: skip
    return Table(title, columns, tuple(rows))


def change_text(metric: Metric, old: float | None, new: float | None) -> str:
    """Format a change: `+4.20 %`, `=`, points of a share, or nothing if unknown."""
    if old is None or new is None:
        return ""
    if old == new:
        return "="
    if metric.unit.kind == "share":
        return f"{100 * (new - old):+.1f} points"
    return f"{100 * (new / old - 1):+.2f} %" if old else "from 0"


def _value(metric: Metric, value: float | None, analysis: Analysis) -> str:
    if value is None:
        return "all" if metric.name == "field" else ""
    return f"{at_least(analysis).get(metric.name, '')}{metric.unit.format(value)}"


def _rows(changes: Iterable[LayerChange]) -> Iterable[tuple[object, ...]]:
    """Yield a row for each change; layers of a block added or removed together share a row."""
    group: list[LayerChange] = []
    for change in (*changes, None):
        if group and (change is None or not _together(group[-1], change)):
            yield _row(group)
            group = []
        if change is not None:
            group.append(change)


def _together(first: LayerChange, second: LayerChange) -> bool:
    scope = _block(first.name)
    same = first.kind == second.kind and first.kind in ("added", "removed")
    return same and bool(scope) and scope == _block(second.name)


def _block(name: str) -> str:
    """Return the outer blocks of a layer, at most two: `stage1.basic2`."""
    return ".".join(name.split(".")[:-1][:2])


def _row(group: Sequence[LayerChange]) -> tuple[object, ...]:
    first, several = group[0], len(group) > 1
    renamed = None not in (first.old, first.new) and first.old != first.new
    words = [f"was {first.old}"] if renamed else []
    words += [
        f"{name} {value_text(old)} -> {value_text(new)}"
        for name, (old, new) in first.attributes.items()
    ]
    return (
        MARKS.get(first.kind, "~"),
        _block(first.name) if several else first.name,
        f"{len(group)} layers" if several else first.op,
        ", ".join(words) or first.kind,
        _delta(change.params for change in group),
        _delta(change.macs for change in group),
    )


def value_text(value: Any) -> str:
    """Format the value of an attribute, shapes as such."""
    if isinstance(value, tuple | list) and value and isinstance(value[0], tuple | list):
        return " and ".join(map(value_text, value))
    if isinstance(value, tuple) and all(isinstance(size, int) for size in value):
        return text_of(value)
    return ", ".join(map(str, value)) if isinstance(value, tuple | list) else str(value)


def _delta(pairs: Iterable[tuple[int, int]]) -> str:
    difference = sum(new - old for old, new in pairs)
    if not difference:
        return ""
    return f"{'+' if difference > 0 else '-'}{format_count(abs(difference))}"


def _rest(changes: Sequence[LayerChange], listed: bool) -> list[str]:
    """Return a line on the layers that are not listed, and one if nothing changed."""
    shapes = sum(change.kind == "reshaped" for change in changes)
    names = sum(change.kind == "renamed" for change in changes)
    words = [f"{shapes} other layers have other shapes"] if shapes else []
    if names:
        words.append(f"{names} other layers have other names")
    if words:
        return [" and ".join(words)]
    return [] if listed else ["no layer is different"]
