"""`archscope size`: count the bytes of a network's weights in every form of storage."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click
from msgspec import structs

from archscope.cli.shared.given_weights import fused_with_weights, spec_of_run, weights_of
from archscope.cli.shared.inapplicable import indifferent, refused
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    one_spec,
    output_options,
    reader_options,
)
from archscope.cli.shared.output_files import OutputPath
from archscope.compress.layout import PAPER, PUBLISHED
from archscope.compress.storage import sizes
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.report.tables.sizes import size_parts, size_record
from archscope.transforms.fuse import fuse

if TYPE_CHECKING:
    from torch import Tensor

GROUP = "Understand"
COMPRESSED = (".net", ".bin")
"""Suffixes of files in the format of SqueezeNet-Deep-Compression."""


@click.command("size")
@one_spec
@reader_options
@indifferent(batch="weights do not depend on it")
@refused(dtype="the table has all of them")
@click.option("--weights", type=click.Path(path_type=Path), metavar="FILE",
              help="Weights: a .safetensors file, a state dict (.pth, .pt), the folder of a run,"
                   " or a .net file as published with Deep Compression.")  # fmt: skip
@click.option("--bits", type=click.IntRange(1, 8), show_default="8; 5 for linear layers",
              help="Bits per code; a codebook holds 2 ** bits values.")  # fmt: skip
@click.option("--distance-bits", type=click.IntRange(1, 8), show_default="8; 5 for linear layers",
              help="Bits for the distance between two nonzero weights.")  # fmt: skip
@click.option("--weights-output", type=OutputPath(), metavar="FILE",
              help="Write the weights to this .safetensors or .net file.")  # fmt: skip
@output_options
def command(
    spec: str,
    reader: SpecReader,
    weights: Path | None,
    bits: int | None,
    distance_bits: int | None,
    weights_output: Path | None,
    output: Output,
) -> None:
    """Count the bytes of a network's weights in every form: dense, sparse, with codebooks.

    SPEC may be the folder of a run: its best weights are used. Sizes are those of actually encoded
    weights; without weights, only forms whose size does not depend on them are counted. A codebook
    holds the values of a layer if these are few enough; otherwise k-means chooses its values, and
    the table shows their error.

    A .net file has the format of songhan/SqueezeNet-Deep-Compression, with codes of 8 and 4 bits
    and distances of 4 bits. --weights-output converts to and from it.

    \b
    Examples:
      archscope size resnet18
      archscope size runs/lenet5-digits --bits 4
      archscope size lenet5 --weights sparse.safetensors --format json
      archscope size squeezenet1_0 --weights compressed_SqueezeNet.net
    """
    spec, run = spec_of_run(spec)
    graph = reader.unfused.graph(spec)
    path = weights or run
    source = f"'{path or spec}'"
    given = _weights(spec, reader, graph, path)
    if reader.fused:
        if given is None:
            graph = fuse(graph)
        else:
            graph, given = fused_with_weights(graph, given, source)
    layout = PUBLISHED if path is not None and path.suffix in COMPRESSED else PAPER
    layout = structs.replace(
        layout,
        codes=layout.codes if bits is None else (bits, bits),
        distances=layout.distances if distance_bits is None else (distance_bits, distance_bits),
    )
    found = sizes(graph, given, layout=layout, source=source)
    if weights_output is not None:
        if given is None:
            raise OptionError("--weights-output needs weights: give --weights, or a run")
        _write(given, graph, weights_output)
    output.show(size_parts(graph.name, found), lambda: size_record(graph.name, found))


def _weights(
    spec: str, reader: SpecReader, graph: Graph, path: Path | None
) -> dict[str, Tensor] | None:
    """Return the weights of a compressed or other file, a run or an imported model, if any."""
    if path is None or path.suffix not in COMPRESSED or path.is_dir():
        return weights_of(spec, reader.inputs, graph, path)
    from archscope.compress.compressed_file import read_compressed

    return read_compressed(path, graph)


def _write(weights: dict[str, Tensor], graph: Graph, path: Path) -> None:
    if path.suffix in COMPRESSED:
        from archscope.compress.compressed_file import write_compressed

        write_compressed(weights, graph, path)
    else:
        from archscope.weights import write_weights

        write_weights(weights, path)
