"""`archscope plot`: write one chart of the report to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archscope.cli.shared import completion
from archscope.cli.shared.options import SpecReader, cost_options, reader_options
from archscope.cli.shared.output_files import OutputPath
from archscope.cli.shared.prediction import Predictor, predict_options
from archscope.cli.shared.terminal import show
from archscope.errors import OptionError
from archscope.files import write_bytes
from archscope.metrics import PREDICTED

GROUP = "Share"
KINDS = ("pareto", "memory", "field", "layers")
FORMATS = ("svg", "png")


@click.command("plot")
@click.argument("kind", type=click.Choice(KINDS))
@click.argument("sources", nargs=-1, required=True, metavar="SPEC|RUN|FILE.json...",
                shell_complete=completion.specs)  # fmt: skip
@reader_options
@cost_options
@predict_options
@click.option("--x", default="macs", metavar="MEASURE",
              help="Metric on the x axis of pareto: any column of the report.")  # fmt: skip
@click.option(
    "--y",
    default=None,
    metavar="MEASURE",
    help="Metric on the y axis of pareto.  [default: memory_access_bytes, or predicted_top1 with"
    " --predict]",
)
@click.option("--of", "fact", type=click.Choice(("macs", "params", "memory")), default="macs",
              help="Metric that the bars of layers show.")  # fmt: skip
@click.option("--output", "-o", type=OutputPath(), required=True, metavar="FILE",
              help="File to write, .svg or .png.")  # fmt: skip
def command(
    kind: str,
    sources: tuple[str, ...],
    reader: SpecReader,
    costs: dict[str, Any],
    predictor: Predictor,
    x: str,
    y: str | None,
    fact: str,
    output: Path,
) -> None:
    """Draw a chart for a paper or a slide.

    pareto plots networks by two metrics and dims the dominated ones; memory and field follow
    networks layer by layer; layers shows the cost of each layer of one network.

    \b
    Examples:
      archscope plot pareto vgg16 resnet50 mobilenet_v2 -o pareto.svg
      archscope plot pareto specs/*.yaml --x params \\
        --y peak_activation_bytes -o peak.png
      archscope plot pareto specs/*.yaml --predict -o accuracy.svg
      archscope plot memory resnet50 mobilenet_v2 -o memory.svg
      archscope plot layers googlenet --of params -o layers.png
    """
    form = output.suffix.lower().removeprefix(".")
    if form not in FORMATS:
        raise OptionError(f"--output: expected an .svg or .png file, got '{output}'")
    from archscope.cli.shared.report_inputs import read_inputs
    from archscope.report.charts import measure_named, plot

    y = y or (PREDICTED if predictor.wanted else "memory_access_bytes")
    for word in (x, y):
        measure_named(word)  # fail early
    networks = read_inputs(sources, reader, costs, predictor).networks()
    write_bytes(output, plot(kind, networks, form, x=x, y=y, fact=fact))
    show(output.as_posix())
