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
from archscope.report.tables.compression import (
    Compression,
    Stage,
    compression_parts,
    compression_record,
    points_lost,
)
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
@click.option(
    "--scratch",
    is_flag=True,
    help="Train the pruned network from scratch, too, for all epochs together.",
)
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

    One row a step: accuracy on test images, costs, the size and latency of its ONNX model, and the
    time that its training took. RUN may be the name that the runs of `train --seeds` share: then
    each is compressed, and the rows are means with the spread of the accuracy. --scratch adds what
    the pruned weights must beat: the same network, trained from scratch for as long.

    \b
    Examples:
      archscope compress lenet5-digits --target 50% --lanes 2
      archscope compress runs/lenet5-digits -t 40% -t "50% params" --keep-accuracy 0.5
      archscope compress resnet20-fashion-mnist -t 47% --lanes 4 --scratch
    """
    from archscope.records.run_folder import find_runs

    if options["model"] is not None and options["model"].suffix != ".onnx":
        raise OptionError(f"int8 is written as .onnx, got '{options['model']}'")
    paths = find_runs(run, options["runs_dir"])
    if options["model"] is not None and len(paths) > 1:
        raise OptionError(f"--model writes one model, and '{run}' is {len(paths)} runs; name one")
    name = paths[0].name if len(paths) == 1 else Path(run).name
    found = [_compressed(path, name, options) for path in paths]
    kept = points_lost(found) <= options["keep_accuracy"]
    output.show(
        compression_parts(name, found, options["keep_accuracy"]),
        lambda: {"format": 1, **compression_record(name, found), "kept": kept},
    )
    return FINE if kept else FINDINGS


def _compressed(run: Path, name: str, options: dict[str, Any]) -> Compression:
    """Return the steps of one run, which are trained where need be; `name` stands for its own."""
    from archscope.records.run_folder import read_summary
    from archscope.train.post_training import of_run

    dataset = dataset_of(read_summary(run, "source", "adapt"))
    if dataset.test is None:
        raise OptionError(f"'{dataset.name}' has no test images to compare the steps on")
    runs = _pruned_runs(run, options)
    materials = [
        of_run(run.with_name(summary.name) if number else run, dataset, None, IMAGES)
        for number, summary in enumerate(runs)
    ]
    names = [f"{name}{summary.name.removeprefix(run.name)}" for summary in runs]
    seconds = [summary.seconds for summary in runs]
    scratch = options["scratch"]
    stages, int8 = _stages(names, seconds, materials, scratch, options["keep_accuracy"] / 100)
    if options["model"] is not None:
        write_bytes(options["model"], int8)
    control = stages.pop(-2) if scratch else None
    return Compression(tuple(stages), control)


def _pruned_runs(run: Path, options: dict[str, Any]) -> list[RunSummary]:
    """Return the run, those of the steps of its pruning, and the control, trained if need be."""
    from archscope.cli.shared.fine_tuning import FineTuning
    from archscope.train.run_folder import read_graph, read_weights

    graph = read_graph(run)
    limits = targets(options["budgets"], costs_of(graph, "float32"))
    command = shlex.join(["archscope", *sys.argv[1:]])
    tune = FineTuning(run, options["epochs"], command=command, teacher=run)
    choice = Choice(lanes=options["lanes"])
    *_, last = prune_in_steps(  # each step is trained as it is asked for
        graph, read_weights(run), limits, options["steps"], tune, choice, f"'{run}'"
    )
    if options["scratch"]:
        tune.from_scratch(last.graph)
    return [tune.summary, *tune.results]


def _stages(
    names: list[str],
    seconds: list[float],
    materials: list[Material],
    scratch: bool,
    keep: float,
) -> tuple[list[Stage], bytes]:
    """Return what each run has, then the last step in int8, and that model.

    `seconds` are those of training; the control from `scratch` is the last run.
    """
    from archscope.bench.onnx_latency import onnx_latencies

    models = [material.model() for material in materials]
    place = -2 if scratch else -1
    last = materials[place]
    found = quantize_int8(models[place], last.batches(), score=last.score, keep_accuracy=keep)
    models.append(found.model)
    names = [*names, f"{names[place]}, int8"]
    latencies = [timing.median_seconds for timing in onnx_latencies(models)]
    stages = []
    for name, material, model, latency, trained in zip(
        names, [*materials, last], models, latencies, [*seconds, None], strict=True
    ):
        assert material.test is not None
        costs = costs_of(material.network.graph, "float32")
        stages.append(
            Stage(
                name, material.scores(model, material.test), costs["params"], costs["macs"],
                costs["peak"], len(model), latency, trained,
            )
        )  # fmt: skip
    return stages, found.model
