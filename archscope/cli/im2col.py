"""`archscope im2col`: show a convolution as a matrix product."""

from __future__ import annotations

import click

from archscope.analysis.im2col import im2col
from archscope.cli.shared import completion
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    batch_option,
    dtype_option,
    one_spec,
    output_options,
    reader_options,
)
from archscope.errors import OptionError, did_you_mean
from archscope.report.tables.im2col import im2col_parts

GROUP = "Understand"


@click.command("im2col")
@one_spec
@click.argument("node", shell_complete=completion.nodes)
@reader_options
@batch_option
@dtype_option
@output_options
def command(
    spec: str, node: str, reader: SpecReader, batch: int, dtype: str, output: Output
) -> None:
    """Show a convolution as the matrix product W_row X_col, with the size of its matrices.

    X_col holds every window of the input as a column, so it is larger than the input by the
    blow-up factor. Sizes are for one batch; with groups, for one group. NODE is a convolution,
    or a block that holds only one.

    \b
    Examples:
      archscope im2col alexnet_2012 conv1
      archscope im2col vgg16 stage0.conv1 --dtype float16
    """
    graph = reader.graph(spec)
    convolutions = [node.name for node in graph.nodes if node.op.convolution]
    inside = [name for name in convolutions if name.startswith(f"{node}.")]
    if len(inside) == 1:  # naming a block selects its only convolution
        (node,) = inside
    if not convolutions:
        raise OptionError(f"'{graph.name}' has no convolution")
    if node not in graph.by_name:
        hint = did_you_mean(node, convolutions) or f"; one of its convolutions is {convolutions[0]}"
        raise OptionError(f"'{graph.name}' has no node '{node}'{hint}")
    view = im2col(graph, node, batch)
    output.show(im2col_parts(view, dtype), lambda: {"format": 1, "im2col": view})
