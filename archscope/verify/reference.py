"""Totals against the numbers that the spec itself quotes."""

from __future__ import annotations

from archscope.analysis.analyzer import analyze
from archscope.ir import Graph
from archscope.verify.check import Check, compare


def check(graph: Graph) -> Check:
    """Compare the `reference:` of the spec with what we count."""
    quoted = dict(graph.reference)
    analysis = analyze(graph)
    pairs: list[tuple[str, object, object]] = [
        (key, getattr(analysis.totals, key), quoted[key])
        for key in ("params", "macs")
        if key in quoted
    ]
    if "receptive_field" in quoted:
        field = analysis.receptive_field
        axes = (field.size, field.stride, field.padding) if field else (None, None, None)
        ours = [axis[0] if axis else None for axis in axes]
        pairs.append(("receptive_field", ours, quoted["receptive_field"]))
    source = str(quoted.get("source", "the spec"))
    note = "" if pairs else "the spec quotes no numbers"
    return compare("reference", source, "published number", pairs, note)
