"""`archscope quantize`: weights in few bits."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope.cli.shared.given_weights import (
    given_weights,
    own_weights,
    spec_of_run,
    weights_option,
)
from archscope.cli.shared.inapplicable import refused
from archscope.cli.shared.options import Output, SpecReader, one_spec, unfused_reader_options
from archscope.compress.quantization import METHODS, Method, Quantized, quantize_weights
from archscope.errors import OptionError
from archscope.ir import Graph
from archscope.report.tables.quantization import quantized_parts, quantized_record
from archscope.sources import is_foreign

if TYPE_CHECKING:
    from torch import Tensor

    from archscope.records.training import RunSummary, Scores

GROUP = "Make"


@click.command("quantize")
@one_spec
@unfused_reader_options
@refused(
    batch="weights do not depend on it",
    dtype="--bits says how weights are stored",
    fused="batch norms are trained with the weights; archscope size --fused counts without them",
)
@click.option("--method", type=click.Choice(METHODS), default="codebook",
              help="Values that weights of a layer share, found by k-means, or even levels in each"
                   " channel.")  # fmt: skip
@click.option("--bits", type=click.IntRange(2, 8), default=4, help="Bits of a weight.")
@weights_option
@click.option("--epochs", type=click.IntRange(1),
              help="Train the codebooks of a run on for so long, on its images.")  # fmt: skip
@click.option("--output", "-o", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the rounded weights as .safetensors.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table",
              help="Format of what is printed.")  # fmt: skip
def command(
    spec: str,
    reader: SpecReader,
    method: Method,
    bits: int,
    form: str,
    **options: Any,
) -> None:
    """Round the weights of a network to few values, and count what they take.

    SPEC may be the folder of a run, whose best weights are taken, and whose accuracy on its test
    images is measured before and after. Weights that are zero stay zero, so that the weights of
    `prune --sparsity` become those of deep compression: sparse, in codebooks, in Huffman codes.

    With --epochs the values of codebooks are trained on, as a run of its own: weights that share a
    value go on sharing it. The weights that are written are float32 numbers of few values, to use
    like any others; `archscope size` says what other forms take.

    \b
    Examples:
      archscope quantize runs/lenet5-digits --bits 4 -o shared.safetensors
      archscope quantize runs/lenet5-digits --method uniform --bits 8
      archscope quantize runs/lenet5-digits-sparse95 --bits 4 --epochs 3
      archscope quantize lenet5 --weights sparse.safetensors --bits 5 --format json
    """
    spec, run = spec_of_run(spec)
    path = options["weights"] or run
    if options["epochs"] is not None and (run is None or options["weights"] is not None):
        raise OptionError("--epochs is for a run, whose images and recipe it takes")
    if options["epochs"] is not None and method != "codebook":
        raise OptionError(f"--epochs trains codebooks, and the method is {method}")
    graph = reader.graph(spec)
    if path is None and not is_foreign(spec):
        raise OptionError("there are no weights to quantize: give --weights, or a run")
    given = given_weights(path) if path else own_weights(spec, reader.inputs, graph)
    source = f"'{path or spec}'"
    found = quantize_weights(graph, given, method=method, bits=bits, source=source)
    runs: list[RunSummary] = []
    if options["epochs"] is not None:
        assert run is not None
        found, runs = _trained(run, graph, found, options)
    if options["output"] is not None:
        from archscope.weights import write_weights

        write_weights(found.weights, options["output"])
    scores = _scores(run, given, found.weights) if run is not None else []
    Output(form).show(
        quantized_parts(graph.name, found, scores, runs),
        lambda: {"format": 1, **quantized_record(graph.name, found, scores, runs)},
    )


def _trained(
    run: Path, graph: Graph, found: Quantized, options: dict[str, Any]
) -> tuple[Quantized, list[RunSummary]]:
    """Return what is found after training its codebooks, and the runs before and after."""
    from archscope.cli.shared.fine_tuning import FineTuning

    command = shlex.join(["archscope", *sys.argv[1:]])
    tune = FineTuning(run, options["epochs"], command=command, keep="values")
    weights = tune.tuned(f"codebook{found.bits}", graph, found.weights)
    again = quantize_weights(graph, weights, method=found.method, bits=found.bits)
    return again, [tune.summary, *tune.results]


def _scores(run: Path, before: dict[str, Tensor], after: dict[str, Tensor]) -> list[Scores]:
    """Return the scores of a run's test images with its weights and others; [] without images."""
    from archscope.cli.shared.training_options import dataset_of
    from archscope.records.run_folder import read_summary
    from archscope.train.trained_network import scores_of_weights

    summary = read_summary(run, "source", "adapt")
    if summary.task["kind"] not in ("classification", "distillation"):
        return []
    dataset = dataset_of(summary)
    if dataset.test is None:
        return []
    return [scores_of_weights(run, dataset, dataset.test, state) for state in (before, after)]
