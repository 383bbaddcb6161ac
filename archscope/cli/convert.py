"""`archscope convert`: a network rewritten as another spec."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.cli.shared.inapplicable import indifferent
from archscope.cli.shared.options import SpecReader, one_spec, output_option, reader_options, write
from archscope.errors import OptionError
from archscope.folding.fold import readable
from archscope.language.write import to_yaml
from archscope.transforms.fully_convolutional import fully_convolutional
from archscope.transforms.fuse import fuse

GROUP = "Make"


@click.command("convert")
@one_spec
@reader_options
@indifferent(batch="a spec is of one image", dtype="a spec has no element type")
@click.option("--flat", is_flag=True, help="Write one layer for each node, blocks unrolled.")
@click.option("--fold", is_flag=True, help="Write repeated structure as blocks and repeats.")
@click.option(
    "--fully-convolutional",
    "convolutional",
    is_flag=True,
    help="Turn fully connected layers into convolutions, so that larger images give score maps.",
)
@output_option
def command(
    spec: str,
    reader: SpecReader,
    flat: bool,
    fold: bool,
    convolutional: bool,
    output: Path | None,
) -> None:
    """Rewrite a network as another spec: flat, folded, fully convolutional or fused.

    The result is equivalent, up to rounding with --fused.

    \b
    Examples:
      archscope convert vgg16 --fully-convolutional -o vgg16_conv.yaml
      archscope analyze vgg16_conv.yaml --input 3x384x384     (6x6 class scores)
      archscope convert resnet50 --flat -o flat.yaml
      archscope convert flat.yaml --fold
      archscope convert resnet50 --fused --fold -o fused.yaml   (archscope export has the weights)
    """
    if flat and fold:
        raise OptionError("a spec is either flat or folded: --flat or --fold")
    if not flat and not fold and not convolutional and not reader.fused:
        raise OptionError(
            "say what to convert to: --flat, --fold, --fully-convolutional or --fused"
        )
    graph = reader.unfused.graph(spec)
    if convolutional:
        graph = fully_convolutional(graph)
    if reader.fused:
        graph = fuse(graph)
    write(readable(graph).text if fold else to_yaml(graph), output)
