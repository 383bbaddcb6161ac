"""`archscope weights`: show what the numbers of a network's weights are like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archscope.cli.shared.given_weights import (
    fused_with_weights,
    spec_of_run,
    weights_of,
    weights_option,
)
from archscope.cli.shared.inapplicable import indifferent, refused
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    one_spec,
    output_options,
    reader_options,
)
from archscope.cli.shared.terminal import say
from archscope.errors import OptionError
from archscope.report.tables.weights import (
    weight_difference_parts,
    weight_difference_records,
    weights_parts,
    weights_record,
    weights_records,
)
from archscope.weights import COUNTER, SAFETENSORS, TORCH_FILES, read_weights

if TYPE_CHECKING:
    from torch import Tensor

GROUP = "Understand"


@click.command("weights")
@one_spec
@reader_options
@indifferent(batch="weights do not depend on it")
@refused(dtype="weights have the types of their file")
@weights_option
@click.option("--against", metavar="WEIGHTS",
              help="Compare with other weights, tensor by tensor: a file, the folder of a run, or a"
              " model of another framework.")  # fmt: skip
@output_options
def command(
    spec: str, reader: SpecReader, weights: Path | None, against: str | None, output: Output
) -> int:
    """Show what the numbers of weights are like: range, spread, zeros, levels and histogram.

    SPEC is a run, a model of another framework, a network with --weights, or a file of weights
    alone. `zero rows` are output channels (slices of the first axis) with zeros only, `levels` the
    distinct values, if there are at most 256. With --against, tensors of the same name are
    compared: the share of values that changed, the largest difference, the norm of the difference
    over that of the other weights, and the cosine of the angle between both. The exit code is 1 if
    a value is not finite.

    \b
    Examples:
      archscope weights runs/lenet5-digits
      archscope weights resnet18 --weights resnet18.safetensors
      archscope weights model.pth --format csv
      archscope weights net.onnx
      archscope weights runs/tuned --against runs/lenet5-digits
      archscope weights after.safetensors --against before.safetensors
    """
    from archscope.weight_statistics import weight_statistics

    name, tensors = _weights(spec, reader, weights)
    tensors = {n: value for n, value in tensors.items() if not n.endswith(COUNTER)}
    if against is not None:
        return _compare(name, tensors, against, _other(spec, reader, against), output)
    found = weight_statistics(tensors)
    if complex_ones := [n for n, value in tensors.items() if value.is_complex()]:
        say(f"left out, as they have complex numbers: {', '.join(complex_ones)}")
    output.show(
        weights_parts(name, found),
        lambda: weights_record(name, found),
        lambda: weights_records(found),
    )
    return int(any(item.not_finite for item in found))


def _compare(
    name: str, tensors: dict[str, Tensor], word: str, others: dict[str, Tensor], output: Output
) -> int:
    """Show how weights differ from others."""
    from archscope.weight_differences import weight_differences
    from archscope.weights import without_prefix

    others = without_prefix(others, tensors)
    others = {n: value for n, value in others.items() if not n.endswith(COUNTER)}
    found = weight_differences(others, tensors)
    if not found.tensors and not found.reshaped:
        raise OptionError(
            f"'{name}' and '{word}' have no tensor of the same name: the first are"
            f" '{next(iter(tensors), '')}' and '{next(iter(others), '')}'"
        )
    output.show(
        weight_difference_parts(name, word, found),
        lambda: {"format": 1, "name": name, "against": word, "differences": found},
        lambda: weight_difference_records(found),
    )
    return int(any(item.largest is None for item in found.tensors))


def _other(spec: str, reader: SpecReader, word: str) -> dict[str, Tensor]:
    """Return the weights to compare with; a file is of the same network, if there is one."""
    files = (SAFETENSORS, *TORCH_FILES)
    if Path(word).suffix in files and Path(spec).suffix not in files:
        return _weights(spec, reader, Path(word))[1]
    return _weights(word, reader, None)[1]


def _weights(spec: str, reader: SpecReader, path: Path | None) -> tuple[str, dict[str, Tensor]]:
    """Return the name and the weights of a run, a model, a network with a file, or a file."""
    from archscope.compress.tensors import fitted_weights

    alone = Path(spec)
    if path is None and alone.suffix in (SAFETENSORS, *TORCH_FILES):
        if reader.fused:
            raise OptionError("--fused needs a network: give a SPEC and --weights")
        return alone.name, read_weights(alone)
    spec, run = spec_of_run(spec)
    graph = reader.unfused.graph(spec)
    path = path or run
    source = f"'{path or spec}'"
    given = weights_of(spec, reader.inputs, graph, path)
    if given is None:
        raise OptionError(f"'{spec}' has no weights: give --weights, or a run")
    tensors = fitted_weights(graph, given, source)
    if reader.fused:
        graph, tensors = fused_with_weights(graph, tensors, source)
    return graph.name, tensors
