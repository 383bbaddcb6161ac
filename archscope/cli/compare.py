"""`archscope compare`: networks side by side."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.analysis import analyze
from archscope.cli.budget import budget_options, judge, limits_of
from archscope.cli.options import (
    cost_options,
    load_spec,
    many_specs,
    output_options,
    show,
    spec_options,
)
from archscope.report.comparison import comparison_table


@click.command("compare")
@many_specs
@spec_options
@cost_options
@budget_options
@output_options
def command(
    specs: tuple[str, ...],
    settings: tuple[str, ...],
    inputs: tuple[str, ...],
    max_nodes: int,
    batch: int,
    dtype: str,
    optimizer: str,
    training: bool,
    max_params: str | None,
    max_macs: str | None,
    max_memory: str | None,
    form: str,
    output: Path | None,
) -> int:
    """Set networks side by side, one row each, with their ratio to the first.

    \b
    Examples:
      archscope compare vgg16 resnet50 shufflenet_v2_x1_0
      archscope compare mine.yaml resnet50 --input 3x320x320 --format markdown
      archscope compare specs/*.yaml --max-params 5M   (exit 1 if any is over)
    """
    limits = limits_of(max_params, max_macs, max_memory)
    results = [
        analyze(
            load_spec(spec, settings, inputs, max_nodes),
            batch=batch,
            dtype=dtype,
            optimizer=optimizer,
            training=training,
        )
        for spec in specs
    ]
    show([comparison_table(results)], form, output, lambda: {"format": 1, "networks": results})
    return judge(results, limits)
