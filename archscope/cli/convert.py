"""`archscope convert`: a network rewritten as another spec."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from archscope.cli.shared.given_weights import given_weights, weights_option
from archscope.cli.shared.inapplicable import indifferent
from archscope.cli.shared.options import SpecReader, one_spec, output_option, reader_options, write
from archscope.errors import OptionError
from archscope.folding.fold import readable
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
@indifferent(batch="a spec is of one image", dtype="a spec has no element type")
@click.option("--flat", is_flag=True, help="Write one layer for each node, blocks unrolled.")
@click.option("--fold", is_flag=True, help="Write repeated structure as blocks and repeats.")
@click.option(
    "--fully-convolutional",
    "convolutional",
    is_flag=True,
    help="Turn fully connected layers into convolutions, so that larger images give score maps.",
)
@click.option(
    "--reparameterize",
    is_flag=True,
    help="Merge parallel branches of convolutions, batch norms and identities into one"
    " convolution, as RepVGG is deployed. Batch norms are folded.",
)
@weights_option
@click.option(
    "--weights-output",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write the weights of the result as .safetensors.",
)
@output_option
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

    The result is equivalent, up to rounding with --fused and --reparameterize; with --weights and
    --weights-output these take the weights along.

    \b
    Examples:
      archscope convert vgg16 --fully-convolutional -o vgg16_conv.yaml
      archscope analyze vgg16_conv.yaml --input 3x384x384     (6x6 class scores)
      archscope convert resnet50 --flat -o flat.yaml
      archscope convert flat.yaml --fold
      archscope convert resnet50 --fused --fold -o fused.yaml   (archscope export has the weights)
      archscope convert repvgg_a0 --reparameterize --fold -o deploy.yaml
      archscope convert n.yaml --reparameterize -o d.yaml --weights n.safetensors
        --weights-output d.safetensors
    """
    if flat and fold:
        raise OptionError("a spec is either flat or folded: --flat or --fold")
    if not flat and not fold and not convolutional and not reparameterize and not reader.fused:
        raise OptionError(
            "say what to convert to: --flat, --fold, --fully-convolutional, --fused or"
            " --reparameterize"
        )
    if convolutional and reparameterize:
        raise OptionError("--fully-convolutional and --reparameterize: convert twice")
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


def _check_weights(
    weights: Path | None, weights_output: Path | None, changed: bool, output: Path | None
) -> None:
    """Raise OptionError unless both files are given, and there is something to convert."""
    if weights is None and weights_output is None:
        return
    if weights is None or weights_output is None:
        raise OptionError("--weights and --weights-output go together: from which file to which")
    if not changed:
        raise OptionError("--weights is for --fused and --reparameterize, which change weights")
    if output is None:
        raise OptionError("--weights-output needs -o: the weights are named as in that spec")


def _write_weights(
    graph: Graph, source: Path, target: Path, reparameterize: bool, names: Mapping[str, str]
) -> None:
    """Write the weights of the converted network, by the names of its nodes in the spec."""
    from archscope.build import build  # torch, which specs alone do not need
    from archscope.fused import fused_weights, reparameterized_weights
    from archscope.weights import load_weights, write_weights

    network = build(graph)
    load_weights(network, given_weights(source), f"'{source}'")
    change = reparameterized_weights if reparameterize else fused_weights
    paths = {module_path(name): module_path(other) for name, other in names.items()}
    state = {}
    for key, tensor in change(graph, network.state_dict()).items():
        path, _, word = key.rpartition(".")
        state[f"{paths.get(path, path)}.{word}"] = tensor
    write_weights(state, target)
