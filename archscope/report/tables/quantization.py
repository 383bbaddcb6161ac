"""Weights in few bits as tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archscope.compress.quantization import Quantized
from archscope.records.training import RunSummary, Scores
from archscope.report.table import BYTES, COUNT, NAME, SHARE, Column, Part, Table, table_of
from archscope.report.tables.pruning import steps_table
from archscope.report.tables.sizes import HEADINGS
from archscope.units import format_bytes


def quantized_parts(
    name: str, found: Quantized, scores: Sequence[Scores], runs: Sequence[RunSummary]
) -> list[Part]:
    """Return the bytes by layer and in total, and the scores before and after."""
    forms = list(found.totals)
    layers = table_of(
        found.layers,
        (Column("layer", NAME), lambda layer: layer.name),
        (Column("weights", COUNT), lambda layer: layer.weights),
        (Column("left", COUNT), lambda layer: layer.left),
        (Column("change", SHARE), lambda layer: layer.error),
        *(
            (Column(heading(form, found), BYTES, form), lambda layer, form=form: layer.bytes[form])
            for form in forms
        ),
        title=f"{name}, {found.method}, {found.bits} bits",
    )
    best = min(forms, key=found.totals.__getitem__)
    whole, least = found.totals["float32"], found.totals[best]
    weights = sum(layer.weights for layer in found.layers)
    left = sum(layer.left for layer in found.layers)
    parts: list[Part] = [
        layers,
        f"float32 {format_bytes(whole)} with biases and norms; smallest as"
        f" {heading(best, found)}: {format_bytes(least)}, {whole / least:.1f} times smaller",
    ]
    if left < weights:
        parts.append(
            f"{left:,} of {weights:,} weights are left, {weights / max(left, 1):.1f} times fewer"
        )
    if scores:
        parts.append(scores_table(scores))
    if runs:
        parts.append(steps_table(runs))
    return parts


def heading(form: str, found: Quantized) -> str:
    """Return the heading for a form of storage."""
    return HEADINGS[form].replace("codebook", "codes" if found.method == "uniform" else "codebook")


def scores_table(scores: Sequence[Scores]) -> Table:
    """Return the measures on test images before and after."""
    before, after = scores
    return Table(
        "test images",
        (Column("measure", NAME), Column("before"), Column("after")),
        tuple(
            (
                name,
                *(
                    f"{s[name]:.4g}" if name == "loss" else f"{100 * s[name]:.2f} %"
                    for s in (before, after)
                ),
            )
            for name in before
        ),
    )


def quantized_record(
    name: str, found: Quantized, scores: Sequence[Scores], runs: Sequence[RunSummary]
) -> dict[str, Any]:
    """Return weights in few bits for programs."""
    return {
        "name": name,
        "method": found.method,
        "bits": found.bits,
        "totals": found.totals,
        "layers": found.layers,
        "test": {"before": scores[0], "after": scores[1]} if scores else None,
        "runs": list(runs),
    }
