"""The needs of a network on a microcontroller as a table."""

from __future__ import annotations

from archscope.analysis.result import Analysis
from archscope.report.table import COUNT, NAME, Column, Table
from archscope.units import format_bytes

NEEDS = ("flash_bytes", "ram_bytes", "im2col_bytes")
"""The needs of a layer."""


def needs_of(analysis: Analysis, name: str) -> tuple[int, ...]:
    """Return the `NEEDS` of a layer, or of a block's layers, with flash added up."""
    if analysis.microcontroller is None:
        return ()
    layers = [
        layer
        for layer in analysis.microcontroller.layers
        if layer.name == name or layer.name.startswith(f"{name}.")
    ]
    if not layers:  # it serves only training
        return (0, 0, 0)
    return (
        sum(layer.flash_bytes for layer in layers),
        max(layer.ram_bytes for layer in layers),
        max(layer.im2col_bytes for layer in layers),
    )


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
    time = f"{more}{found.milliseconds:,.0f} ms"
    rows.append(("time", time, f"estimated for {found.board}; not measured"))
    columns = Column("microcontroller", NAME), Column("", COUNT), Column("meaning")
    return [Table("", columns, tuple(rows))]
