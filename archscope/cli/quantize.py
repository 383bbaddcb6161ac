"""`archscope quantize`: weights in few bits, or a whole network in int8."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope.cli.shared.given_weights import spec_of_run, weights_of, weights_option
from archscope.cli.shared.inapplicable import refuse_given, refused
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    gathered,
    one_spec,
    together,
    unfused_reader_options,
)
from archscope.cli.shared.output_files import OutputPath
from archscope.cli.shared.teacher import distill_option
from archscope.cli.shared.training_options import data_dir_option, data_option, dataset_of
from archscope.compress.int8 import CALIBRATIONS, quantize_int8
from archscope.compress.quantization import METHODS, Quantized, quantize_weights
from archscope.errors import OptionError
from archscope.files import write_bytes
from archscope.ir import Graph
from archscope.report.table import Part
from archscope.report.tables.int8 import Int8Measured, int8_parts, int8_record
from archscope.report.tables.pruning import steps_table
from archscope.report.tables.quantization import quantized_parts, quantized_record

if TYPE_CHECKING:
    from torch import Tensor

    from archscope.cli.shared.fine_tuning import FineTuning
    from archscope.records.training import RunSummary, Scores
    from archscope.train.post_training import Material

    Weights = dict[str, Tensor]

GROUP = "Make"
BITS = 4

int8_options = gathered("int8", dict, together(
    click.option("--calibration", type=click.Choice(CALIBRATIONS), default="minmax",
                 help="How to choose the range of values: all of them, all but outliers, or with"
                      " the least loss of information."),
    click.option("--images", type=click.IntRange(1), default=128,
                 help="Number of training images to calibrate with."),
    data_option("Data set for a SPEC; a run has its own."),
    data_dir_option,
    click.option("--sensitivity", is_flag=True,
                 help="Measure the accuracy that each layer costs in int8 by itself."),
    click.option("--keep-accuracy", type=click.FloatRange(0), metavar="POINTS",
                 help="Leave the worst layers in float32 until no more than this many percentage"
                      " points are lost."),
    click.option("--full-range", is_flag=True,
                 help="Use 8 bits for weights instead of 7: for Arm and x86 with VNNI; other x86"
                      " processors overflow."),
))  # fmt: skip
"""The options of --method int8, as the `int8` of a command."""


@click.command("quantize")
@one_spec
@unfused_reader_options
@refused(
    batch="weights do not depend on it",
    dtype="--bits says how weights are stored",
    fused="int8 folds batch norms itself; archscope size --fused counts without them",
)
@click.option("--method", type=click.Choice(["int8", *METHODS, "qat"]), default="int8",
              help="int8: the whole network, after training. codebook, uniform: weights only, in"
                   " shared values or even levels. qat: the whole network in few bits, by"
                   " quantization-aware training.")  # fmt: skip
@click.option("--bits", type=click.IntRange(1, 8), show_default=str(BITS),
              help="Bits of a weight, and with qat also of a layer's input; not for"
                   " int8.")  # fmt: skip
@weights_option
@click.option("--epochs", type=click.IntRange(1),
              help="Fine-tune a run for this many epochs, with codebook or qat.")  # fmt: skip
@distill_option
@int8_options
@click.option("--output", "-o", type=OutputPath(), metavar="FILE",
              help="Write the model to this .onnx file, or rounded weights to this .safetensors"
                   " file.")  # fmt: skip
@click.option("--format", "form", type=click.Choice(["table", "json"]), default="table",
              help="Output format.")  # fmt: skip
def command(spec: str, reader: SpecReader, form: str, **options: Any) -> None:
    """Quantize a trained network, and show what that costs and saves.

    SPEC may be the folder of a run: its best weights are used, and its accuracy on its test images
    is measured before and after.

    int8 writes an ONNX model by onnxruntime's static quantization: batch norms are folded, weights
    have a scale for each channel, and activations a scale each, calibrated on training images.
    Accuracy, size and latency are compared with the same model in float32.

    qat fine-tunes a run with weights and layer inputs rounded to --bits, down to 1; the rounding is
    part of the resulting spec. The first and the last layer have 8 bits. With 1 and 2 bits, layers
    without a batch norm get one.

    codebook and uniform round weights only. Zeros stay zero, so the weights of `prune --sparsity`
    become those of deep compression: sparse, with codebooks and Huffman codes. With --epochs the
    values of the codebooks are fine-tuned, as a run of its own. The written weights are float32
    numbers with few distinct values; `archscope size` shows what other forms take.

    \b
    Examples:
      archscope quantize runs/lenet5-digits -o lenet5.int8.onnx
      archscope quantize runs/lenet5-digits --sensitivity --keep-accuracy 0.5
      archscope quantize resnet18 --weights w.safetensors \\
        --data folder:photos -o r.int8.onnx
      archscope quantize runs/lenet5-digits --method qat --bits 2 --epochs 10
      archscope quantize runs/lenet5-digits --method uniform --bits 8
      archscope quantize runs/sparse --method codebook --bits 4 --epochs 3
    """
    spec, run = spec_of_run(spec)
    path = options["weights"] or run
    _check(options, run)
    graph = reader.graph(spec)
    given = weights_of(spec, reader.inputs, graph, path)
    if given is None:
        raise OptionError("no weights to quantize: give --weights, or a run")
    work = {"int8": _int8, "qat": _trained_in_bits}.get(options["method"], _weights)
    parts, record = work(graph, run, given, f"'{path or spec}'", options)
    Output(form).show(parts, lambda: {"format": 1, **record})


def _check(options: dict[str, Any], run: Path | None) -> None:
    """Raise OptionError for options that exclude each other."""
    whole, method, int8 = options["method"] == "int8", options["method"], options["int8"]
    if whole and options["bits"] is not None:
        raise OptionError("--bits is for --method codebook, uniform and qat; int8 has 8")
    if options["epochs"] is not None and method not in ("codebook", "qat"):
        raise OptionError(f"--epochs is for --method codebook and qat, not {method}")
    if options["epochs"] is None and options["distill"]:
        raise OptionError("--distill needs --epochs")
    if method == "qat" and options["epochs"] is None:
        raise OptionError("--method qat needs --epochs: it trains the network")
    if options["epochs"] is not None and (run is None or options["weights"] is not None):
        raise OptionError("--epochs needs a run: it uses the run's images and recipe")
    for name in ("sensitivity", "keep_accuracy", "full_range", "data"):
        if not whole and int8[name]:
            raise OptionError(f"--{name.replace('_', '-')} is for --method int8, not {method}")
    if not whole:
        refuse_given(("calibration",), f"is for --method int8, not {method}")
    if method in METHODS:
        refuse_given(("images",), f"is for --method int8 and qat, not {method}")
    if whole and run is not None and int8["data"]:
        raise OptionError("--data is for a SPEC; a run is calibrated with its own images")
    if whole and run is None and not int8["data"]:
        raise OptionError("no images to calibrate with: name a run, or give --data")
    suffix, output = ".onnx" if whole else ".safetensors", options["output"]
    if output is not None and output.suffix != suffix:
        raise OptionError(f"{method} is written as {suffix}, got '{output}'")


def _int8(
    graph: Graph, run: Path | None, given: Weights, source: str, options: dict[str, Any]
) -> tuple[list[Part], dict[str, Any]]:
    """Quantize a network to int8; return the comparison with float32 as parts and a record."""
    from archscope.bench.onnx_latency import onnx_latencies

    int8 = options["int8"]
    material = _material(graph, run, given, source, options)
    model = material.model()
    found = quantize_int8(
        model, material.batches(), calibration=int8["calibration"],
        full_range=int8["full_range"], score=material.score if material.task else None,
        sensitivity=int8["sensitivity"],
        keep_accuracy=None if int8["keep_accuracy"] is None else int8["keep_accuracy"] / 100,
    )  # fmt: skip
    if options["output"] is not None:
        write_bytes(options["output"], found.model)
    both, scores = (model, found.model), []
    if material.task is not None and material.test is not None:
        scores = [material.scores(each, material.test) for each in both]
    measured = Int8Measured(
        [len(each) for each in both],
        [timing.median_seconds for timing in onnx_latencies(both)],
        scores,
        len(material.calibration),
    )
    return int8_parts(graph.name, found, measured), int8_record(graph.name, found, measured)


def _material(
    graph: Graph, run: Path | None, given: Weights, source: str, options: dict[str, Any]
) -> Material:
    """Return the weights and images of a run, or of a network and a data set."""
    from archscope import datasets
    from archscope.records.run_folder import read_summary
    from archscope.train import post_training

    int8 = options["int8"]
    if run is None:
        dataset = datasets.load(int8["data"], int8["data_dir"])
        return post_training.of_network(graph, given, source, dataset, int8["images"])
    summary = read_summary(run, "source", "adapt")
    dataset = dataset_of(summary, int8["data_dir"])
    own = given if options["weights"] is not None else None
    return post_training.of_run(run, dataset, own, int8["images"])


def _trained_in_bits(
    graph: Graph, run: Path | None, given: Weights, source: str, options: dict[str, Any]
) -> tuple[list[Part], dict[str, Any]]:
    """Fine-tune a run in few bits; return the comparison of the two runs as parts and a record."""
    from archscope.train.quantization_aware import (
        rate_factor,
        rounded_network,
        without_replaced_steps,
    )
    from archscope.train.run_folder import read_recipe

    assert run is not None
    bits = options["bits"] or BITS
    material = _material(graph, run, given, source, options)
    batches = (images for images, _ in material.loader(material.calibration))
    rounded = rounded_network(material.network, batches, bits)
    rate = read_recipe(run).learning_rate * rate_factor(bits)
    # Averages and interpolations of rounded weights are between their levels.
    tune = _fine_tuning(
        run, options, weight_bits=bits, learning_rate=rate, ema=0.0, interpolate=False
    )
    initial = without_replaced_steps(given, graph, rounded.graph) | rounded.weights
    weights = tune.tuned(f"w{bits}a{bits}", rounded.graph, initial)
    if options["output"] is not None:
        from archscope.weights import write_weights

        write_weights(weights, options["output"])
    runs = [tune.summary, *tune.results]
    added = len(rounded.norms)
    record = {
        "name": graph.name, "method": "qat", "bits": bits, "norms_added": added, "runs": runs,
    }  # fmt: skip
    width = f"{bits} bit{'s' * (bits > 1)}"
    lines = [f"weights and layer inputs have {width}, those of the first and last layer 8"]
    if added:
        lines.append(f"batch norms added: {added}; archscope export folds them away")
    return [steps_table(runs), *lines], record


def _weights(
    graph: Graph, run: Path | None, given: Weights, source: str, options: dict[str, Any]
) -> tuple[list[Part], dict[str, Any]]:
    """Round weights; return errors, sizes and scores as parts and a record."""
    found = quantize_weights(
        graph, given, method=options["method"], bits=options["bits"] or BITS, source=source
    )
    runs: list[RunSummary] = []
    if options["epochs"] is not None:
        assert run is not None
        found, runs = _trained(run, graph, found, options)
    if options["output"] is not None:
        from archscope.weights import write_weights

        write_weights(found.weights, options["output"])
    folder = options["int8"]["data_dir"]
    scores = _scores(run, folder, given, found.weights) if run is not None else []
    return (
        quantized_parts(graph.name, found, scores, runs),
        quantized_record(graph.name, found, scores, runs),
    )


def _trained(
    run: Path, graph: Graph, found: Quantized, options: dict[str, Any]
) -> tuple[Quantized, list[RunSummary]]:
    """Fine-tune codebooks; return the quantized weights and the runs before and after."""
    tune = _fine_tuning(run, options, keep="values")
    weights = tune.tuned(f"codebook{found.bits}", graph, found.weights)
    again = quantize_weights(graph, weights, method=found.method, bits=found.bits)
    return again, [tune.summary, *tune.results]


def _fine_tuning(run: Path, options: dict[str, Any], **knobs: Any) -> FineTuning:
    from archscope.cli.shared.fine_tuning import FineTuning

    command = shlex.join(["archscope", *sys.argv[1:]])
    teacher = run if options["distill"] else None
    return FineTuning(
        run, options["epochs"], command=command, teacher=teacher,
        data_dir=options["int8"]["data_dir"], **knobs,
    )  # fmt: skip


def _scores(
    run: Path, folder: Path | None, before: dict[str, Tensor], after: dict[str, Tensor]
) -> list[Scores]:
    """Return a run's test scores with both sets of weights; [] if there are no test images."""
    from archscope.records.run_folder import read_summary
    from archscope.train.trained_network import scores_of_weights

    summary = read_summary(run, "source", "adapt")
    if summary.task["kind"] not in ("classification", "distillation"):
        return []
    dataset = dataset_of(summary, folder)
    if dataset.test is None:
        return []
    return [scores_of_weights(run, dataset, dataset.test, state) for state in (before, after)]
