"""`archscope draw`: draw a network as a diagram."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.analysis import analyze
from archscope.cli.shared.given_weights import spec_of_run
from archscope.cli.shared.options import (
    SpecReader,
    batch_option,
    dtype_or_stored_option,
    one_spec,
    output_option,
    reader_options,
    training_option,
    write,
)
from archscope.cli.shared.overlay import overlay_option
from archscope.drawing.formats import FORMATS, format_of, render
from archscope.drawing.heat import HEATS, Heat
from archscope.drawing.losses import losses
from archscope.drawing.overlay import node_names, read_overlay
from archscope.drawing.tree import tree_of
from archscope.errors import OptionError
from archscope.files import write_bytes

GROUP = "Understand"


@click.command("draw")
@one_spec
@reader_options
@batch_option
@dtype_or_stored_option
@training_option
@click.option("--fold", type=click.IntRange(1), default=None, metavar="DEPTH",
              help="Draw blocks at this depth as one box; by default all are open.")  # fmt: skip
@click.option("--heat", type=click.Choice([*HEATS, "none"]), default="macs",
              help="Colour boxes by their share of this metric.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default=None,
              help="Output format; by default that of the file's suffix.")  # fmt: skip
@overlay_option
@click.option("--before", metavar="SPEC|RUN",
              help="Mark what each layer has lost since it was this network: its sizes then and"
                   " now, and as colour the share of --heat that is gone.")  # fmt: skip
@output_option
def command(
    spec: str,
    reader: SpecReader,
    batch: int,
    dtype: str | None,
    training: bool,
    fold: int | None,
    heat: str,
    form: str | None,
    overlay: Path | None,
    before: str | None,
    output: Path | None,
) -> None:
    """Draw a network as boxes with shape, macs and params, nested in their blocks.

    Branches stand side by side; the larger a box's share, the warmer its colour. In an SVG, the
    tooltip of a box shows all its numbers. PNG needs `pip install archscope[png]`.

    \b
    Examples:
      archscope draw googlenet -o googlenet.svg
      archscope draw resnet50 --fold 1 --heat params -o resnet50.png
      archscope draw resnet50 --overlay sensitivity.json -o resnet50.svg
      archscope draw pruned.yaml --before resnet50 -o gone.svg
      archscope draw "INPUT 3x32x32 -> CONV 12 -> FC 10" --format mermaid
    """
    form = form or (format_of(output) if output else "svg")
    if form == "png" and output is None:
        raise OptionError("PNG is written to a file: add -o network.png")
    reader.refuse_training(training)
    graph = reader.graph(spec, batch)
    analysis = analyze(graph, batch=batch, dtype=dtype, training=training)
    paint: Heat | None = None if heat == "none" else heat
    if before is not None:
        if overlay is not None or heat == "none":
            other = "--overlay" if overlay is not None else "--heat none"
            raise OptionError(f"--before paints the boxes, and so does not go with {other}")
        old = reader.graph(spec_of_run(before)[0], batch)
        was = analyze(old, batch=batch, dtype=dtype, training=training)
        paint = losses(old, graph, was, analysis, heat)
    elif overlay is not None:
        paint = read_overlay(overlay).of_one(analysis.name, node_names(tree_of(analysis.layers)))
    drawing = render(analysis, form, fold, paint)
    if isinstance(drawing, str):
        write(drawing, output)
    elif output is not None:
        write_bytes(output, drawing)
