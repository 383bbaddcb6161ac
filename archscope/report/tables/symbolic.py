"""Costs as polynomials, as a table."""

from __future__ import annotations

from archscope.analysis.polynomials import Side
from archscope.analysis.result import Analysis
from archscope.ir import text_of
from archscope.report.table import NAME, Column, Part, Table

WORDS = {"elementwise": "other work", "memory_access": "memory access", "peak_activations": "peak"}


def symbolic_parts(analysis: Analysis) -> list[Part]:
    """Return the polynomials and the sides for which they hold, if requested."""
    found = analysis.symbolic
    if found is None:
        return []
    rows = [(WORDS.get(name, name), formula.text) for name, formula in found.formulas.items()]
    rows += [(WORDS.get(name, name), f"unknown: {why}") for name, why in found.unknown.items()]
    sides = " and ".join(map(_words, found.sides))
    title = "for N images" + (f", {sides}" if sides else "")
    columns = Column("cost", NAME), Column("polynomial, in numbers of elements")
    parts: list[Part] = [Table(title, columns, tuple(rows))]
    if len(found.tried) > 1:
        least, most = text_of(min(found.tried)), text_of(max(found.tried))
        parts.append(f"equal to {len(found.tried)} exact analyses, from {least} to {most}")
    return parts


def _words(side: Side) -> str:
    """Return the allowed values of a side: `H = 32 k + 11 from 75 on`."""
    if not side.every:
        return f"{side.name} = {side.least}"
    if side.every == 1:
        return f"{side.name} from {side.least} on"
    more = f" + {side.offset}" if side.offset else ""
    return f"{side.name} = {side.every} k{more} from {side.least} on"
