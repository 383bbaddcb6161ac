"""`archscope draw`: a network as a picture."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.analysis import analyze
from archscope.cli import FINE
from archscope.cli.shared.options import (
    SpecReader,
    one_spec,
    output_option,
    reader_options,
    write,
    write_bytes,
)
from archscope.errors import OptionError, UnavailableError
from archscope.ir import Graph

GROUP = "Visualize"
FORMATS = ("svg", "png", "dot", "mermaid")
SUFFIXES = {".svg": "svg", ".png": "png", ".dot": "dot", ".gv": "dot", ".mmd": "mermaid"}
HEATS = ("macs", "params", "memory", "none")


@click.command("draw")
@one_spec
@reader_options
@click.option("--training/--inference", default=False,
              help="Take in the parts that serve only training; or not.")  # fmt: skip
@click.option("--fold", type=click.IntRange(1), default=None, metavar="DEPTH",
              help="Draw blocks at this depth as one box; without it, all layers.")  # fmt: skip
@click.option("--heat", type=click.Choice(HEATS), default="macs", show_default=True,
              help="Colour boxes by their share of this.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(FORMATS), default=None,
              help="Kind of picture; without it the ending of the file says it.")  # fmt: skip
@output_option
def command(
    spec: str,
    reader: SpecReader,
    training: bool,
    fold: int | None,
    heat: str,
    form: str | None,
    output: Path | None,
) -> int:
    """Draw a network: boxes with shape, macs and params, blocks around what is in them.

    Branches stand side by side, and the more of the whole a box has, the warmer it is. SVG
    tells all numbers of a box where the mouse rests. PNG needs `pip install archscope[png]`.

    \b
    Examples:
      archscope draw googlenet -o googlenet.svg
      archscope draw resnet50 --fold 1 --heat params -o resnet50.png
      archscope draw "INPUT 3x32x32 -> [CONV 12 -> RELU]*2 -> FC 10" --format mermaid
    """
    form = form or _format(output)
    if form == "png" and output is None:
        raise OptionError("a PNG needs a file to go to: -o network.png")
    graph = reader.graph(spec)
    text = _text(graph, form, training, fold, None if heat == "none" else heat)
    if form == "png":
        assert output is not None
        write_bytes(_png(text), output)
    else:
        write(text, output)
    return FINE


def _format(output: Path | None) -> str:
    if output is None:
        return "svg"
    try:
        return SUFFIXES[output.suffix.lower()]
    except KeyError:
        known = ", ".join(SUFFIXES)
        raise OptionError(
            f"the ending of '{output}' is no kind of picture ({known}); --format says which"
        ) from None


def _text(graph: Graph, form: str, training: bool, fold: int | None, heat: str | None) -> str:
    from archscope.drawing.collapsed import is_open
    from archscope.drawing.dot import dot
    from archscope.drawing.layout import picture
    from archscope.drawing.mermaid import mermaid
    from archscope.drawing.svg import svg
    from archscope.drawing.tree import tree

    analysis = analyze(graph, training=training)
    item = tree(analysis.layers, analysis.name)
    if form == "dot":
        return dot(item, analysis, fold, heat)
    if form == "mermaid":
        return mermaid(item, analysis, fold, heat)
    return svg(picture(item, lambda block, depth: is_open(block, depth, fold)), analysis, heat)


def _png(text: str) -> bytes:
    try:
        import resvg_py
    except ImportError:
        raise UnavailableError(
            "PNG needs the package resvg-py: pip install 'archscope[png]'; SVG needs nothing"
        ) from None
    return bytes(resvg_py.svg_to_bytes(svg_string=text, font_family="DejaVu Sans"))
