"""What a network was before it was pruned or quantized: its layers then and now."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from msgspec import structs

from archscope.analysis.difference import origins
from archscope.analysis.result import Analysis, LayerReport
from archscope.drawing.losses import losses
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.records.run_folder import is_run, read_summary
from archscope.report.pages.content import Before, LayerBefore, NetworkSection, Pair
from archscope.report.table import NAME, Column, Table
from archscope.units import format_bytes, format_count

MARK = "macs"
"""The cost whose loss the drawing marks."""


def original_run(path: Path) -> Path | None:
    """Return the run that a run was compressed from, None if it was not compressed.

    It may have moved together with the run. Raises OptionError if it cannot be found.
    """
    recorded = read_summary(path).compressed_from
    if not recorded:
        return None
    places = (Path(recorded), path.parent / Path(recorded).name)
    found = next((place for place in places if is_run(place)), None)
    if found is None:
        raise OptionError(f"the run '{places[0].name}', which it was compressed from")
    return found


def with_before(
    section: NetworkSection, name: str, old: Graph, new: Graph, before: Analysis, after: Analysis
) -> NetworkSection:
    """Return the section of `new` with what changed since `old`, which is called `name`.

    Its drawing shows the share of macs that every layer has lost, if any has.
    """
    marks = losses(old, new, before, after, MARK)
    return structs.replace(
        section,
        before=describe_before(name, old, new, before, after),
        overlay=marks if marks.values else None,
    )


def describe_before(name: str, old: Graph, new: Graph, before: Analysis, after: Analysis) -> Before:
    """Return the totals of both networks and the layers that differ, in the order of the new one.

    Layers without params and macs, such as activations, are listed only if they came or went.
    Those that are not there any more come last.
    """
    was = {layer.name: layer for layer in before.layers}
    known = origins(old, new)
    pairs = [(was.get(known.get(layer.name, "")), layer) for layer in after.layers]
    kept = {first.name for first, _ in pairs if first is not None}
    gone = [layer for layer in before.layers if layer.name not in kept]
    rows = [_row(first, layer) for first, layer in pairs] + [_row(layer, None) for layer in gone]
    return Before(
        name,
        (before.totals.params, after.totals.params),
        (before.totals.macs, after.totals.macs),
        tuple(row for row in rows if _differs(row)),
        len(after.layers),
        (before.totals.weight_bytes, after.totals.weight_bytes)
        if before.weights or after.weights
        else None,
    )


def _row(first: LayerReport | None, second: LayerReport | None) -> LayerBefore:
    layer = second or first
    assert layer is not None

    def pair(value: Callable[[LayerReport], int | None]) -> Pair:
        was, now = (None if side is None else value(side) for side in (first, second))
        return was, now

    return LayerBefore(
        layer.name,
        layer.op,
        pair(lambda side: side.out[0] if side.out else None),
        pair(lambda side: side.params),
        pair(lambda side: side.macs),
    )


def _differs(row: LayerBefore) -> bool:
    costs = row.params, row.macs
    return any(was != now for was, now in (row.channels, *costs)) and any(map(any, costs))


def before_parts(section: NetworkSection) -> list[Table | str]:
    """Return what changed in a network as a table for text formats; [] if that is unknown."""
    found = section.before
    if found is None:
        return []
    stored: list[Table | str] = []
    if found.weight_bytes is not None:
        was, now = map(format_bytes, found.weight_bytes)
        stored = [f"weights of {section.name} as stored: {was} -> {now}"]
    if not found.layers:
        return [f"{section.name} has the channels, params and macs of {found.name}", *stored]
    columns = [Column(name, NAME) for name in ("layer", "op", "channels", "params", "macs")]
    rows = [
        (row.name, row.op, *map(_text, (row.channels, row.params, row.macs)))
        for row in found.layers
    ]
    totals = ("total", "", "", _text(found.params), _text(found.macs))
    title = f"{section.name} since {found.name}"
    return [Table(title, tuple(columns), tuple(rows), (totals,)), *stored]


def _text(pair: Pair) -> str:
    """Format a value before and after: `64 -> 48`, once if equal, `-` where there is none."""
    texts = ["-" if value is None else format_count(value) for value in pair]
    if pair[0] == pair[1]:
        return "" if not pair[0] else texts[0]
    return " -> ".join(texts)
