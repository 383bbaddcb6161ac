"""`archscope zoo`: list the networks that ship with archscope."""

from __future__ import annotations

import click

from archscope.analysis import analyze
from archscope.cli.shared import completion
from archscope.cli.shared.options import Output, output_options
from archscope.cli.shared.prediction import Predictor, predict_options
from archscope.errors import OptionError, did_you_mean
from archscope.language import load, zoo
from archscope.report.tables.networks import zoo_table

GROUP = "Reference"


@click.command("zoo")
@click.argument("words", nargs=-1, metavar="[WORD]...", shell_complete=completion.names(zoo))
@predict_options
@output_options
def command(words: tuple[str, ...], predictor: Predictor, output: Output) -> None:
    """List the networks that ship with archscope, with their totals.

    A network is listed if its name contains one of the WORDs. Its name is a SPEC: `archscope
    analyze resnet50` works in any folder. Markdown and CSV also have a description of each network
    and the paper that published it.

    \b
    Examples:
      archscope zoo
      archscope zoo resnet vgg
      archscope zoo --predict
      archscope zoo --format markdown -o zoo.md
    """
    known = zoo()
    for word in words:
        if not any(word.lower() in name for name in known):
            raise OptionError(
                f"no network of the zoo has '{word}' in its name{did_you_mean(word, known)}"
            )
    chosen = [
        path
        for name, path in known.items()
        if not words or any(word.lower() in name for word in words)
    ]
    graphs = map(load, chosen)
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
