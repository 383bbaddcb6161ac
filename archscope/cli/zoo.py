"""`archscope zoo`: the networks that ship with archscope."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.analysis import analyze
from archscope.cli import FINE
from archscope.cli.options import output_options, show
from archscope.report.analysis import field_text
from archscope.report.table import BYTES, COUNT, NAME, Column, Table
from archscope.spec import load, zoo


@click.command("zoo")
@output_options
def command(form: str, output: Path | None) -> int:
    """List the networks that ship with archscope, with their totals.

    Each is a SPEC by its name: `archscope analyze resnet50` works in any folder.

    \b
    Examples:
      archscope zoo
      archscope zoo --format markdown -o zoo.md
    """
    results = [analyze(load(path)) for path in zoo().values()]
    columns = (
        Column("network", NAME),
        Column("params", COUNT),
        Column("macs", COUNT),
        Column("memory access", BYTES, "memory_access_bytes"),
        Column("peak", BYTES, "peak_activation_bytes"),
        Column("depth", COUNT),
        Column("field", NAME),
        Column("about"),
    )
    rows = tuple(
        (
            result.name,
            result.totals.params,
            result.totals.macs,
            result.totals.memory_access_bytes,
            result.totals.peak_activation_bytes,
            result.totals.depth,
            field_text(result.receptive_field),
            result.about,
        )
        for result in results
    )

    def data() -> dict[str, object]:
        return {
            "format": 1,
            "networks": [
                {"name": one.name, "about": one.about, "input": one.input, "totals": one.totals}
                for one in results
            ],
        }

    show([Table("", columns, rows)], form, output, data)
    return FINE
