"""`archscope im2col`: a convolution as a matrix product."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.analysis.cost import DTYPES
from archscope.analysis.im2col import im2col
from archscope.cli import FINE
from archscope.cli.shared.options import load_spec, one_spec, output_options, show, spec_options
from archscope.errors import OptionError, did_you_mean
from archscope.report.table import BYTES, COUNT, NAME, SHAPE, Column, Table

GROUP = "Analyze"


@click.command("im2col")
@one_spec
@click.argument("node")
@spec_options
@click.option(
    "--dtype", type=click.Choice(list(DTYPES)), default="float32", show_default=True,
    help="Element type that bytes are counted for.",
)  # fmt: skip
@output_options
def command(
    spec: str,
    node: str,
    settings: tuple[str, ...],
    inputs: tuple[str, ...],
    max_nodes: int,
    dtype: str,
    form: str,
    output: Path | None,
) -> int:
    """Show a convolution as the matrix product W_row X_col, with the memory of its matrices.

    X_col holds every window of the input as a column, so it is larger than the input by the
    blow-up factor. For one image; with groups the matrices are those of one group. NODE is a
    convolution, or a block that holds just one.

    \b
    Examples:
      archscope im2col alexnet_2012 conv1
      archscope im2col vgg16 stage0.conv1 --dtype float16
    """
    graph = load_spec(spec, settings, inputs, max_nodes)
    convolutions = [node.name for node in graph.nodes if node.op.name == "conv"]
    inside = [name for name in convolutions if name.startswith(f"{node}.")]
    if len(inside) == 1:  # a block stands for its only convolution
        (node,) = inside
    if node not in graph.by_name:
        hint = did_you_mean(node, convolutions) or f"; a convolution is {convolutions[0]}"
        raise OptionError(f"'{graph.name}' has no node '{node}'{hint if convolutions else ''}")
    view = im2col(graph, node)
    size = DTYPES[dtype]
    rows = tuple(
        (name, matrix, view.groups, elements, elements * size)
        for name, matrix, elements in (
            ("X_col", view.columns, view.column_elements),
            ("W_row", view.weights, view.groups * view.weights[0] * view.weights[1]),
            ("W_row X_col", view.output, view.groups * view.output[0] * view.output[1]),
        )
    )
    columns = (
        Column("matrix", NAME),
        Column("shape", SHAPE),
        Column("groups", COUNT),
        Column("elements", COUNT),
        Column("memory", BYTES, "bytes"),
    )
    blow_up = f"X_col holds {view.blow_up:.2f} times the elements of the input"
    show([Table("", columns, rows), blow_up], form, output, lambda: {"format": 1, "im2col": view})
    return FINE
