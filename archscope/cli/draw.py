"""`archscope draw`: a network as a drawing."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.analysis import analyze
from archscope.cli.shared.options import (
    SpecReader,
    batch_option,
    dtype_or_stored_option,
    one_spec,
    output_option,
    reader_options,
    write,
)
from archscope.cli.shared.overlay import overlay_option
from archscope.drawing.formats import FORMATS, format_of, render
from archscope.drawing.heat import HEATS, Heat
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
@click.option("--training/--inference", show_default=False,
              help="Include, or leave out, the parts that serve only training.")  # fmt: skip
@click.option("--fold", type=click.IntRange(1), default=None, metavar="DEPTH",
              help="Draw blocks at this depth as one box; by default none.")  # fmt: skip
@click.option("--heat", type=click.Choice([*HEATS, "none"]), default="macs",
              help="Colour boxes by their share of this.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default=None,
              help="Format of the drawing; by default the suffix of the file decides.")  # fmt: skip
@overlay_option
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
    output: Path | None,
) -> None:
    """Draw a network: boxes with shape, macs and params, inside of the blocks they belong to.

    Branches stand side by side, and the larger the share of a box, the warmer its colour. In an
    SVG the tooltip of a box has all of its numbers. PNG needs `pip install archscope[png]`.

    \b
    Examples:
      archscope draw googlenet -o googlenet.svg
      archscope draw resnet50 --fold 1 --heat params -o resnet50.png
      archscope draw resnet50 --overlay sensitivity.json -o resnet50.svg
      archscope draw "INPUT 3x32x32 -> [CONV 12 -> RELU]*2 -> FC 10" --format mermaid
    """
    form = form or (format_of(output) if output else "svg")
    if form == "png" and output is None:
        raise OptionError("a PNG needs a file to go to: -o network.png")
    reader.refuse_training(training)
    analysis = analyze(reader.graph(spec, batch), batch=batch, dtype=dtype, training=training)
    paint: Heat | None = None if heat == "none" else heat
    if overlay is not None:
        paint = read_overlay(overlay).of_one(analysis.name, node_names(tree_of(analysis.layers)))
    drawing = render(analysis, form, fold, paint)
    if isinstance(drawing, str):
        write(drawing, output)
    elif output is not None:
        write_bytes(output, drawing)
