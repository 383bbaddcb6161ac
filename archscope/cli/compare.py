"""`archscope compare`: networks side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archscope.analysis import analyze
from archscope.cli.shared.limits import Limit, exit_code, limit_options
from archscope.cli.shared.options import (
    cost_options,
    load_spec,
    many_specs,
    output_options,
    show,
    spec_options,
)
from archscope.report.tables.analysis import unknown_lines
from archscope.report.tables.comparison import comparison_table

GROUP = "Analyze"


@click.command("compare")
@many_specs
@spec_options
@cost_options
@limit_options
@click.option("--plot", is_flag=True, help="In the terminal, add bars and the Pareto front.")
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
    limits: list[Limit],
    plot: bool,
    form: str,
    output: Path | None,
) -> int:
    """Set networks side by side, one row each, with their ratio to the first.

    \b
    Examples:
      archscope compare vgg16 resnet50 shufflenet_v2_x1_0
      archscope compare vgg16 resnet50 shufflenet_v2_x1_0 --plot
      archscope compare mine.yaml resnet50 --input 3x320x320 --format markdown
      archscope compare specs/*.yaml --max-params 5M   (exit 1 if any is over)
    """
    graphs = [load_spec(spec, settings, inputs, max_nodes) for spec in specs]
    results = [
        analyze(graph, batch=batch, dtype=dtype, optimizer=optimizer, training=training)
        for graph in graphs
    ]
    parts: list[Any] = [comparison_table(results)]
    if form != "csv":
        parts += [f"{result.name}: {line}" for result in results for line in unknown_lines(result)]
    if plot and form == "table":
        from archscope.report.pages.network_section import network_of
        from archscope.report.pages.text_page import pictures

        taken: list[str] = []
        networks = []
        for result, graph in zip(results, graphs, strict=True):
            networks.append(network_of(result, graph, taken=taken))
            taken.append(networks[-1].id)
        parts += pictures(networks)
    show(parts, form, output, lambda: {"format": 1, "networks": results})
    return exit_code(results, limits)
