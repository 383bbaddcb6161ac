"""`archscope zoo`: the networks that ship with archscope."""

from __future__ import annotations

import click

from archscope.analysis import analyze
from archscope.cli.shared.options import Output, output_options
from archscope.cli.shared.prediction import Predictor, predict_options
from archscope.language import load, zoo
from archscope.report.tables.networks import zoo_table

GROUP = "Reference"


@click.command("zoo")
@predict_options
@output_options
def command(predictor: Predictor, output: Output) -> None:
    """List the networks that ship with archscope, with their totals.

    The name of a network is a SPEC: `archscope analyze resnet50` works in any folder. Markdown
    and CSV also have a description of each network and the paper that published it.

    \b
    Examples:
      archscope zoo
      archscope zoo --predict
      archscope zoo --format markdown -o zoo.md
    """
    graphs = map(load, zoo().values())
    results = [predictor.complete(analyze(graph), graph) for graph in graphs]

    def data() -> dict[str, object]:
        keys = (
            "name", "about", "paper", "input", "totals", "receptive_field", "reference",
            *(("predicted", "unpredicted") if predictor.wanted else ()),
        )  # fmt: skip
        return {
            "format": 1,
            "networks": [{key: getattr(result, key) for key in keys} for result in results],
        }

    output.show([zoo_table(results)], data)
