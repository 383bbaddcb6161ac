"""`archscope plot`: one chart of the report as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archscope.cli import FINE
from archscope.cli.shared.options import cost_options, max_nodes_option
from archscope.errors import OptionError
from archscope.files import write_bytes

GROUP = "Visualize"
KINDS = ("pareto", "memory", "field", "layers")
FORMATS = ("svg", "png")


@click.command("plot")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("words", nargs=-1, required=True, metavar="SPEC|RUN|FILE.json...")
@cost_options
@max_nodes_option
@click.option("--x", default="macs", show_default=True, metavar="MEASURE",
              help="Measure across, of pareto: any column of the report.")  # fmt: skip
@click.option("--y", default="memory_access_bytes", show_default=True, metavar="MEASURE",
              help="Measure up, of pareto.")  # fmt: skip
@click.option("--of", "fact", type=click.Choice(("macs", "params", "memory")), default="macs",
              show_default=True, help="What the bars of layers show.")  # fmt: skip
@click.option("--output", "-o", type=click.Path(path_type=Path), required=True, metavar="FILE",
              help="An SVG or PNG, by its ending.")  # fmt: skip
def command(
    kind: str,
    words: tuple[str, ...],
    costs: dict[str, Any],
    max_nodes: int,
    x: str,
    y: str,
    fact: str,
    output: Path,
) -> int:
    """Draw a chart for a paper or a slide, without a screen.

    pareto sets networks by two measures and dims those that are beaten; memory and field follow
    networks layer by layer; layers shows what each layer of one network costs.

    \b
    Examples:
      archscope plot pareto vgg16 resnet50 mobilenet_v2 -o pareto.svg
      archscope plot pareto specs/*.yaml --x params --y peak_activation_bytes -o peak.png
      archscope plot memory resnet50 mobilenet_v2 -o memory.svg
      archscope plot layers googlenet --of params -o layers.png
    """
    form = output.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise OptionError(f"a chart is an .svg or a .png, got '{output}'")
    from archscope.cli.shared.report_inputs import Inputs
    from archscope.report.charts import measure_named, plot

    for word in (x, y):
        measure_named(word)  # a mistake is told before the work
    inputs = Inputs(costs, max_nodes)
    inputs.add_all(words)
    for problem in inputs.problems:
        click.echo(f"not shown: {problem.source}: {problem.reason}", err=True)
    write_bytes(output, plot(kind, inputs.finish(), form, x=x, y=y, fact=fact))
    click.echo(output.as_posix())
    return FINE
