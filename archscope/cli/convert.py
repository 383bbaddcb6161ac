"""`archscope convert`: rewrite a network as another spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from archscope.cli.shared.given_weights import given_weights, weights_option
from archscope.cli.shared.inapplicable import indifferent
from archscope.cli.shared.options import (
    SpecReader,
    one_spec,
    reader_options,
    spec_output_option,
    write,
)
from archscope.cli.shared.output_files import OutputPath
from archscope.cli.shared.terminal import say
from archscope.errors import OptionError
from archscope.folding.fold import other_peak, readable
from archscope.ir import Graph
from archscope.language.write import to_yaml
from archscope.module_names import module_path
from archscope.transforms.fully_convolutional import fully_convolutional
from archscope.transforms.fuse import fuse
from archscope.transforms.reparameterize import reparameterize as merged

GROUP = "Make"


@click.command("convert")
@one_spec
@reader_options
@indifferent(batch="a spec describes one image", dtype="a spec has no element type")
@click.option("--flat", is_flag=True, help="Unroll blocks and repeats: one layer for each node.")
@click.option("--fold", is_flag=True, help="Write repeated structure as blocks and repeats.")
@click.option(
    "--fully-convolutional",
    "convolutional",
    is_flag=True,
    help="Turn fully connected layers into convolutions, so that larger images yield score maps.",
)
@click.option(
    "--reparameterize",
    is_flag=True,
    help="Merge parallel branches of convolutions, batch norms and identities into one"
    " convolution, as for deploying RepVGG. Batch norms are folded.",
)
@weights_option
@click.option(
    "--weights-output",
    type=OutputPath(),
    metavar="FILE",
    help="Write the converted weights to this .safetensors file.",
)
@spec_output_option
def command(
    spec: str,
    reader: SpecReader,
    flat: bool,
    fold: bool,
    convolutional: bool,
    reparameterize: bool,
    weights: Path | None,
    weights_output: Path | None,
    output: Path | None,
) -> None:
    """Rewrite a network as another spec: flat, folded, fully convolutional, fused or merged.

    The result computes the same, up to rounding with --fused and --reparameterize. These two also
    convert weights: read by --weights, written by --weights-output.

    \b
    Examples:
      archscope convert vgg16 --fully-convolutional -o vgg16_conv.yaml
      archscope analyze vgg16_conv.yaml --input 3x384x384     (6x6 class scores)
      archscope convert resnet50 --flat -o flat.yaml
      archscope convert flat.yaml --fold
      archscope convert resnet50 --fused --fold -o fused.yaml
      archscope convert repvgg_a0 --reparameterize --fold -o deploy.yaml
      archscope convert n.yaml --reparameterize -o d.yaml \\
        --weights n.safetensors --weights-output d.safetensors
    """
    if flat and fold:
        raise OptionError("--flat and --fold exclude each other: choose one")
    if not flat and not fold and not convolutional and not reparameterize and not reader.fused:
        raise OptionError(
            "nothing to convert to: add --flat, --fold, --fully-convolutional, --fused or"
            " --reparameterize"
        )
    if convolutional and reparameterize:
        raise OptionError(
            "--fully-convolutional and --reparameterize cannot be combined: convert twice"
        )
    graph = reader.unfused.graph(spec)
    _check_weights(weights, weights_output, reparameterize or reader.fused, output)
    converted = graph
    if convolutional:
        converted = fully_convolutional(graph)
    if reparameterize:
        converted = merged(graph)
    elif reader.fused:
        converted = fuse(converted)
    folded = readable(converted) if fold else None
    if weights is not None and weights_output is not None:
        names = folded.names if folded else {}
        _write_weights(graph, weights, weights_output, reparameterize, names)
    write(folded.text if folded else to_yaml(converted), output)
    if folded and (note := other_peak(converted, folded.graph)):
        say(note)


def _check_weights(
    weights: Path | None, weights_output: Path | None, changed: bool, output: Path | None
) -> None:
    """Raise OptionError unless both files are given and the conversion changes weights."""
    if weights is None and weights_output is None:
        return
    if weights is None or weights_output is None:
        raise OptionError("--weights and --weights-output go together: give both")
    if not changed:
        raise OptionError(
            "--weights needs --fused or --reparameterize: nothing else changes weights"
        )
    if output is None:
        raise OptionError("--weights-output needs -o: the weights are named as in that spec")


def _write_weights(
    graph: Graph, source: Path, target: Path, reparameterize: bool, names: Mapping[str, str]
) -> None:
    """Write the weights of the converted network, under the names of its nodes in the spec."""
    from archscope.build import build  # imports torch, needed only for weights
    from archscope.fused import fused_weights, reparameterized_weights
    from archscope.weights import load_weights, write_weights

    network = build(graph)
    load_weights(network, given_weights(source, graph), f"'{source}'")
    change = reparameterized_weights if reparameterize else fused_weights
    paths = {module_path(name): module_path(other) for name, other in names.items()}
    state = {}
    for key, tensor in change(graph, network.state_dict()).items():
        path, _, word = key.rpartition(".")
        state[f"{paths.get(path, path)}.{word}"] = tensor
    write_weights(state, target)
