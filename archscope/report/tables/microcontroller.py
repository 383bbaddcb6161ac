"""The needs of a network on a microcontroller as a table."""

from __future__ import annotations

from archscope.analysis.by_block import row_of
from archscope.analysis.microcontroller import Microcontroller
from archscope.analysis.result import Analysis
from archscope.report.table import COUNT, NAME, Column, Table
from archscope.units import format_bytes

NEEDS = ("flash_bytes", "ram_bytes", "im2col_bytes")
"""The needs of a layer."""


def layer_needs(
    analysis: Analysis, found: Microcontroller, depth: int
) -> list[tuple[int, int, int]]:
    """Return the `NEEDS` of each row of the layers folded at `depth`, with flash added up.

    They are 0 for layers that serve only training.
    """
    rows = {row_of(layer.name, depth): (0, 0, 0) for layer in analysis.layers}
    for layer in found.layers:
        name = row_of(layer.name, depth)
        flash, ram, im2col = rows[name]
        rows[name] = (
            flash + layer.flash_bytes,
            max(ram, layer.ram_bytes),
            max(im2col, layer.im2col_bytes),
        )
    return list(rows.values())


def microcontroller_table(analysis: Analysis) -> list[Table]:
    """Return flash, RAM, scratch memory and time with explanations, if requested."""
    found = analysis.microcontroller
    if found is None:
        return []
    norms = "int8 weights and int32 biases, batch norms folded; without code"
    maps = f"int8 feature maps alive at {found.ram_node}; without the runtime"
    more = ">= " if any("macs" in kind.facts for kind in analysis.unknown) else ""
    rows = [
        ("flash", format_bytes(found.flash_bytes), f"{found.flash_bytes:,} bytes: {norms}"),
        ("RAM", format_bytes(found.ram_bytes), f"{found.ram_bytes:,} bytes: {maps}"),
    ]
    if found.im2col_node is not None:
        scratch = f"more for the windows of {found.im2col_node}, as CMSIS-NN lays them out"
        rows.append(("im2col", format_bytes(found.im2col_bytes), scratch))
    digits = format(found.milliseconds, ",.0f" if found.milliseconds > 9.5 else ".2g")
    time = f"{more}{digits} ms"
    rows.append(("time", time, f"estimated for {found.board}; not measured"))
    columns = Column("microcontroller", NAME), Column("", COUNT), Column("meaning")
    return [Table("", columns, tuple(rows))]
