"""`archscope compress`: prune, train on with the run as teacher, and quantize, in one go."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.options import Output, output_options
from archscope.cli.shared.training_options import dataset_of, runs_dir_option
from archscope.compress.int8 import quantize_int8
from archscope.compress.pruning import Choice
from archscope.compress.steps import prune_in_steps
from archscope.compress.targets import targets
from archscope.errors import OptionError
from archscope.files import write_bytes
from archscope.report.tables.compression import Stage, compression_parts, compression_record
from archscope.space.costs import costs_of

if TYPE_CHECKING:
    from archscope.records.training import RunSummary
    from archscope.train.post_training import Material

GROUP = "Make"
IMAGES = 128  # that int8 is calibrated with


@click.command("compress")
@click.argument("run")
@click.option("--target", "-t", "budgets", multiple=True, required=True, metavar="TEXT",
              help="What may be left: 50% (of the macs), '60% params', 30MMACs, 'peak 64KiB';"
                   " repeatable.")  # fmt: skip
@click.option("--keep-accuracy", type=click.FloatRange(0), default=1.0, metavar="POINTS",
              help="Points of accuracy that may be lost; exit code 1 if more are.")  # fmt: skip
@click.option("--epochs", type=click.IntRange(1), default=5, help="Training after each step.")
@click.option("--steps", type=click.IntRange(1), default=2, help="Steps of pruning.")
@click.option("--lanes", type=click.IntRange(1), default=8,
              help="Widths that change become multiples of this.")  # fmt: skip
@click.option("--model", type=click.Path(path_type=Path), metavar="FILE",
              help="Write the model in int8 as .onnx.")  # fmt: skip
@runs_dir_option
@output_options
def command(run: str, output: Output, **options: Any) -> int:
    """Make the network of a run smaller step by step, and say what each step costs.

    Whole channels are pruned until the targets hold, in steps; after each the network is trained
    on, with the labels and with the run itself as teacher. The last is quantized to int8, with the
    worst layers left in float32 where that takes more accuracy than may be lost. Every step is a
    run beside the first; a command that was stopped goes on.

    One row a step: accuracy on test images, costs, and the size and latency of its ONNX model.

    \b
    Examples:
      archscope compress lenet5-digits --target 50% --lanes 2
      archscope compress runs/lenet5-digits -t 40% -t "50% params" --keep-accuracy 0.5
    """
    from archscope.records.run_folder import find_run, read_summary

    if options["model"] is not None and options["model"].suffix != ".onnx":
        raise OptionError(f"int8 is written as .onnx, got '{options['model']}'")
    path = find_run(run, options["runs_dir"])
    dataset = dataset_of(read_summary(path, "source", "adapt"))
    if dataset.test is None:
        raise OptionError(f"'{dataset.name}' has no test images to compare the steps on")
    from archscope.train.post_training import of_run

    runs = _pruned_runs(path, options)
    materials = [
        of_run(path.with_name(summary.name) if number else path, dataset, None, IMAGES)
        for number, summary in enumerate(runs)
    ]
    stages, int8 = _stages(runs, materials, options["keep_accuracy"] / 100)
    if options["model"] is not None:
        write_bytes(options["model"], int8)
    lost = stages[0].test["top1"] - stages[-1].test["top1"]
    kept = 100 * lost <= options["keep_accuracy"]
    name = materials[0].network.graph.name
    output.show(
        compression_parts(name, stages, options["keep_accuracy"]),
        lambda: {"format": 1, **compression_record(name, stages), "kept": kept},
    )
    return FINE if kept else FINDINGS


def _pruned_runs(run: Path, options: dict[str, Any]) -> list[RunSummary]:
    """Return the run and those of the steps of its pruning, which are trained where need be."""
    from archscope.cli.shared.fine_tuning import FineTuning
    from archscope.train.run_folder import read_graph, read_weights

    graph = read_graph(run)
    limits = targets(options["budgets"], costs_of(graph, "float32"))
    command = shlex.join(["archscope", *sys.argv[1:]])
    tune = FineTuning(run, options["epochs"], command=command, teacher=run)
    choice = Choice(lanes=options["lanes"])
    for _ in prune_in_steps(
        graph, read_weights(run), limits, options["steps"], tune, choice, f"'{run}'"
    ):
        pass  # each step is trained as it is asked for
    return [tune.summary, *tune.results]


def _stages(
    runs: list[RunSummary], materials: list[Material], keep: float
) -> tuple[list[Stage], bytes]:
    """Return what each step has, and the model of the last one in int8."""
    from archscope.bench.onnx_latency import onnx_latencies

    models = [material.model() for material in materials]
    last = materials[-1]
    found = quantize_int8(models[-1], last.batches(), score=last.score, keep_accuracy=keep)
    models.append(found.model)
    seconds = [timing.median_seconds for timing in onnx_latencies(models)]
    names = [summary.name for summary in runs] + [f"{runs[-1].name}, int8"]
    stages = []
    for name, material, model, time in zip(names, [*materials, last], models, seconds, strict=True):
        assert material.test is not None
        costs = costs_of(material.network.graph, "float32")
        scores = material.scores(model, material.test)
        stages.append(
            Stage(
                name, scores, int(costs["params"]), int(costs["macs"]), int(costs["peak"]),
                len(model), time,
            )
        )  # fmt: skip
    return stages, found.model
