"""`archscope compare`: networks side by side."""

from __future__ import annotations

from typing import Any

import click

from archscope.analysis import analyze
from archscope.cli.shared.latency import Latencies, latency_limit_options
from archscope.cli.shared.limits import Limit, exit_code, limit_options, with_target
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    cost_options,
    many_specs,
    output_options,
    reader_options,
)
from archscope.cli.shared.prediction import Predictor, predict_options
from archscope.cli.shared.runs_as_networks import read_networks
from archscope.report.table import Part
from archscope.report.tables.analysis import unknown_lines
from archscope.report.tables.networks import comparison_table

GROUP = "Understand"


@click.command("compare")
@many_specs
@reader_options
@cost_options
@predict_options
@latency_limit_options
@limit_options
@click.option("--plot", is_flag=True, help="Draw bars and the Pareto front in the terminal.")
@output_options
def command(
    specs: tuple[str, ...],
    reader: SpecReader,
    costs: dict[str, Any],
    predictor: Predictor,
    latencies: Latencies,
    limits: list[Limit],
    plot: bool,
    output: Output,
) -> int:
    """Compare networks, one row each, with ratios relative to the first.

    Each SPEC may be a spec, a network of the zoo, a model, or the folder of a run, whose weights
    then count as stored. The exit code is 1 if any is over a limit.

    \b
    Examples:
      archscope compare vgg16 resnet50 shufflenet_v2_x1_0
      archscope compare vgg16 resnet50 shufflenet_v2_x1_0 --plot
      archscope compare mobilenet_v2 shufflenet_v2_x1_5 --predict
      archscope compare mine.yaml resnet50 --input 3x320x320 --format markdown
      archscope compare specs/*.yaml --max-params 5M   (exit 1 if any is over)
    """
    reader.refuse_training(costs["training"])
    costs = with_target(costs, limits)
    graphs = read_networks(reader, specs, costs["batch"])
    results = [analyze(graph, **costs) for graph in graphs]
    results = list(map(predictor.complete, results, graphs))
    results = list(map(latencies.complete, results, graphs))
    parts: list[Part] = [comparison_table(results)]
    parts += [f"{result.name}: {line}" for result in results for line in unknown_lines(result)]
    parts += [
        f"{result.name}: weights as in {result.weights}" for result in results if result.weights
    ]
    if plot and output.form == "table":
        from archscope.report.pages.network_section import describe_network
        from archscope.report.pages.text_page import pictures

        taken: list[str] = []
        drawn = []
        for result, graph in zip(results, graphs, strict=True):
            drawn.append(describe_network(result, graph, taken=taken))
            taken.append(drawn[-1].id)
        parts += pictures(drawn)
    output.show(parts, lambda: {"format": 1, "networks": results})
    slow = latencies.exit_code((result.name, result.latency) for result in results)
    return max(exit_code(results, limits), slow)
