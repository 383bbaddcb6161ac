"""Analysis -> a small table for notebooks."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from archscope.ir import text_of
from archscope.units import format_bytes, format_count

if TYPE_CHECKING:
    from archscope.analysis.bundle import Analysis


def html(analysis: Analysis) -> str:
    """Return the totals as a table of HTML, all words escaped."""
    whole, view = analysis.totals, analysis.receptive_field
    missed = {fact for one in analysis.unknown for fact in one.facts}
    least = {fact: ">= " if fact in missed else "" for fact in ("macs", "elementwise")}
    shapes = analysis.input if isinstance(analysis.input, dict) else {"": analysis.input}
    field = "" if view is None else "all" if view.known else "unknown"
    if view is not None and view.size is not None and view.stride is not None:
        stride = "x".join(map(str, view.stride))
        field = f"{text_of(view.size)}, stride {stride}, at {view.node}"
    rows = {
        "input": ", ".join(f"{name} {text_of(shape)}".strip() for name, shape in shapes.items()),
        "params": f"{whole.params:,}",
        "macs": f"{least['macs']}{whole.macs:,} ({format_count(whole.macs)})",
        "other work": f"{least['elementwise']}{whole.elementwise:,}",
        "memory access": format_bytes(whole.memory_access_bytes),
        "peak": format_bytes(whole.peak_activation_bytes),
        "depth": f"{whole.depth} of {whole.layers} layers have weights",
        "receptive field": field,
        "not recognised": ", ".join(f"{layer.count} x {layer.kind}" for layer in analysis.opaque),
    }
    cells = "".join(
        f'<tr><th style="text-align:left">{escape(name)}</th>'
        f'<td style="text-align:left">{escape(value)}</td></tr>'
        for name, value in rows.items()
        if value
    )
    title = " ".join(word for word in (analysis.name, analysis.about) if word)
    return f"<table><caption>{escape(title)}</caption>{cells}</table>"
