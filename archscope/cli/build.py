"""`archscope build`: show a network as a PyTorch module."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.cli.shared.inapplicable import indifferent
from archscope.cli.shared.options import SpecReader, one_spec, output_option, reader_options, write

GROUP = "Make"


@click.command("build")
@one_spec
@reader_options
@indifferent(batch="a module takes batches of any size", dtype="the layers are the same")
@output_option
def command(spec: str, reader: SpecReader, output: Path | None) -> None:
    """Print the PyTorch module of a network, as `print(module)` does.

    The module is built on torch's meta device, so even a large one takes no memory. In
    Python, `archscope.build.build(archscope.load(SPEC))` returns it with weights.

    \b
    Examples:
      archscope build resnet50
      archscope build net.yaml --set width=0.5
    """
    graph = reader.graph(spec)
    from archscope.build import build  # imports torch, which is slow: read the spec first

    write(str(build(graph, device="meta")), output)
