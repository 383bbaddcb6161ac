"""`archscope report`: write a report on networks, runs and studies."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from archscope.cli.shared import completion
from archscope.cli.shared.given_weights import spec_of_run
from archscope.cli.shared.latency import Latencies, latency_options
from archscope.cli.shared.options import (
    SpecReader,
    cost_options,
    reader_options,
    wide_option,
    write,
)
from archscope.cli.shared.output_files import OutputPath
from archscope.cli.shared.overlay import overlay_option
from archscope.cli.shared.prediction import Predictor, predict_options
from archscope.cli.shared.terminal import show
from archscope.drawing.overlay import read_overlay
from archscope.errors import OptionError
from archscope.files import make_folder

GROUP = "Share"
FORMATS = ("html", "terminal", "json", "markdown")
SUFFIXES = {".html": "html", ".htm": "html", ".json": "json", ".md": "markdown", ".txt": "terminal"}
HOME = Path("reports")


@click.command("report")
@click.argument("sources", nargs=-1, metavar="[SPEC|RUN|STUDY|FILE.json]...",
                shell_complete=completion.specs)  # fmt: skip
@reader_options
@cost_options
@predict_options
@latency_options
@click.option("--title", default=None, help="Title of the report.")
@click.option("--format", "form", type=click.Choice(FORMATS), default=None,
              help="Output format. Default: that of the file's suffix, or html.")  # fmt: skip
@click.option("--plotlyjs", type=click.Choice(("embed", "plain", "cdn")), default="embed",
              help="Embed plotly.js compressed, or plain, 3 MB larger, for browsers from before"
              " 2023; or load it from a CDN: the page is 2 MB smaller, but has no charts"
              " offline.")  # fmt: skip
@click.option("--date", "day", metavar="DATE", default=None,
              help="Date on the report, such as 2026-01-31, or none.  [default: SOURCE_DATE_EPOCH"
              " or today]")  # fmt: skip
@click.option("--output", "-o", type=OutputPath(), metavar="FILE",
              help="File to write.  [default: reports/report.html]")  # fmt: skip
@overlay_option
@click.option("--before", metavar="SPEC|RUN",
              help="Compare every network with this one, layer by layer, and mark in its drawing"
                   " what it has lost. Runs of prune, quantize and compress are compared with the"
                   " run that they come from.")  # fmt: skip
@wide_option
def command(
    sources: tuple[str, ...],
    reader: SpecReader,
    costs: dict[str, Any],
    predictor: Predictor,
    latencies: Latencies,
    title: str | None,
    form: str | None,
    plotlyjs: Literal["embed", "plain", "cdn"],
    day: str | None,
    output: Path | None,
    overlay: Path | None,
    before: str | None,
    wide: bool,
) -> None:
    """Write a self-contained HTML report that compares networks, runs and studies.

    The page works offline. Sources may be specs, folders of runs and studies, and JSON files that
    `analyze`, `compare`, `bench` and `compress` wrote, in any mix. The default is the most recent
    run or study, or else the zoo. The same input and date give the same page, byte for byte. Torch
    is not loaded.

    \b
    Examples:
      archscope report vgg16 resnet50 shufflenet_v2_x1_0 -o reports/compare.html
      archscope report specs/mine.yaml runs/first bench.json
      archscope report resnet50 mobilenet_v2 --predict
      archscope report resnet50 --overlay sensitivity.json
      archscope report pruned.yaml --before resnet50
      archscope report resnet50 mobilenet_v2 --latency rtx4090 --batch 256
      archscope report --format terminal vgg16 mobilenet_v2
    """
    from archscope.cli.shared.report_inputs import read_inputs
    from archscope.report.pages.dates import date_of

    form = _form(form, output)
    before = None if before is None else spec_of_run(before)[0]
    inputs = read_inputs(sources, reader, costs, predictor, latencies, before)
    page = inputs.page(title, date_of(day), None if overlay is None else read_overlay(overlay))
    if form == "html":
        from archscope.report.pages.html import html

        path = output or HOME / "report.html"
        if output is None:
            make_folder(HOME)
        write(html(page, plotlyjs), path)
        show(path.as_posix())
    elif form == "json":
        import msgspec

        write(msgspec.json.format(msgspec.json.encode(page), indent=1).decode(), output)
    else:
        from archscope.report import formats
        from archscope.report.pages.text_page import parts
        from archscope.report.table import CommandOutput

        terminal = form == "terminal"
        shown = CommandOutput(parts(page, plot=terminal), wide=wide)
        write(formats.render(shown, "table" if terminal else form, screen=output is None), output)


def _form(form: str | None, output: Path | None) -> str:
    """Return the format of a report. Raises OptionError if the file's suffix contradicts it."""
    suffix = "" if output is None else output.suffix.lower()
    of_file = SUFFIXES.get(suffix, form or "html")
    if (suffix and suffix not in SUFFIXES) or of_file != (form or of_file):
        wanted = form or f"one of {', '.join(SUFFIXES)}"
        hint = "; for a PDF, print the page from a browser" if suffix == ".pdf" else ""
        raise OptionError(f"--output: a report is {wanted}, got '{output}'{hint}")
    return of_file
