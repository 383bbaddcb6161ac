"""`archscope compress`: prune, fine-tune with the run as teacher, and quantize, in one go."""

from __future__ import annotations

import shlex
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from msgspec import structs

from archscope.cli import FINDINGS, FINE
from archscope.cli.shared.options import Output, output_options
from archscope.cli.shared.output_files import OutputPath
from archscope.cli.shared.pruning_options import budget_option, lanes_option, scratch_option
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
from archscope.search.reference_costs import costs_at
from archscope.space.costs import costs_of

if TYPE_CHECKING:
    from archscope.datasets import Images
    from archscope.records.training import RunSummary
    from archscope.train.post_training import Material

GROUP = "Make"
IMAGES = 128  # for the calibration of int8


@click.command("compress")
@click.argument("run")
@budget_option("--target", "-t", required=True)
@click.option("--keep-accuracy", type=click.FloatRange(0), default=1.0, metavar="POINTS",
              help="Percentage points of accuracy that may be lost; exit with 1 if more"
                   " are.")  # fmt: skip
@click.option(
    "--epochs", type=click.IntRange(1), default=5, help="Epochs of training after each step."
)
@click.option("--steps", type=click.IntRange(1), default=2, help="Number of pruning steps.")
@lanes_option
@scratch_option
@click.option("--model", type=OutputPath(), metavar="FILE",
              help="Write the int8 model to this .onnx file.")  # fmt: skip
@runs_dir_option
@output_options
def command(run: str, output: Output, **options: Any) -> int:
    """Shrink the network of a run step by step, and show what each step costs.

    Whole channels are pruned in steps until the targets hold. After each step the network is
    fine-tuned on the labels, with the run itself as teacher. The last one is quantized to int8;
    if that loses more accuracy than allowed, the worst layers stay in float32. Every step is a run
    of its own next to RUN. If the command was stopped, run it again to continue.

    Each step has one row: accuracy on test images (without any, on those for validation), costs,
    size and latency of its ONNX model, and training time. RUN may be the name that the runs of
    `train --seeds` share: then each is compressed, and the rows are means, with the spread of the
    accuracy. --scratch adds the baseline for the pruned weights: the same network, trained from
    scratch for as long.

    \b
    Examples:
      archscope compress lenet5-digits --target 50% --lanes 2
      archscope compress runs/mine -t 40% -t "50% params" --keep-accuracy 0.5
      archscope compress resnet20-fashion-mnist -t 47% --lanes 4 --scratch
    """
    from archscope.records.run_folder import find_runs

    if options["model"] is not None and options["model"].suffix != ".onnx":
        raise OptionError(f"--model: int8 is written as .onnx, got '{options['model']}'")
    paths = find_runs(run, options["runs_dir"])
    if options["model"] is not None and len(paths) > 1:
        raise OptionError(f"--model writes one model, but '{run}' is {len(paths)} runs; name one")
    name = paths[0].name if len(paths) == 1 else Path(run).name
    found = [_compressed(path, name, options) for path in paths]
    kept = points_lost(found) <= options["keep_accuracy"]
    output.show(
        compression_parts(name, found, options["keep_accuracy"]),
        lambda: {
            "format": 1,
            **compression_record(name, found),
            "keep_accuracy": options["keep_accuracy"],
            "kept": kept,
        },
    )
    return FINE if kept else FINDINGS


def _compressed(run: Path, name: str, options: dict[str, Any]) -> Compression:
    """Compress one run and return its steps, called `name`; steps trained before are reused."""
    from archscope.records.run_folder import read_summary
    from archscope.train.post_training import of_run

    dataset = dataset_of(read_summary(run, "source", "adapt"))
    whole = of_run(run, dataset, None, IMAGES)
    compared = whole.compared
    if compared is None:
        raise OptionError(
            f"data set '{dataset.name}' has no test images to compare the steps on, and the run"
            " kept no images for validation"
        )
    runs = _pruned_runs(run, options)
    materials = [
        whole,
        *(of_run(run.with_name(each.name), dataset, None, IMAGES) for each in runs[1:]),
    ]
    names = [f"{name}{summary.name.removeprefix(run.name)}" for summary in runs]
    seconds = [summary.seconds for summary in runs]
    scratch = options["scratch"]
    keep = options["keep_accuracy"] / 100
    stages, int8 = _stages(names, seconds, materials, compared, scratch, keep)
    if options["model"] is not None:
        write_bytes(options["model"], int8)
    control = stages.pop(-2) if scratch else None
    return Compression(tuple(stages), control)


def _pruned_runs(run: Path, options: dict[str, Any]) -> list[RunSummary]:
    """Return the run, the runs of its pruning steps and the control, training what is missing."""
    from archscope.cli.shared.fine_tuning import FineTuning
    from archscope.train.run_folder import read_graph, read_weights

    graph = read_graph(run)
    of_others = costs_at(lambda: graph)
    limits = targets(options["budgets"], graph, of_others)
    command = shlex.join(["archscope", *sys.argv[1:]])
    tune = FineTuning(run, options["epochs"], command=command, teacher=run)
    choice = Choice(lanes=options["lanes"])
    *_, last = prune_in_steps(  # a generator: it trains each step when asked for it
        graph, read_weights(run), limits, options["steps"], tune, choice, f"'{run}'"
    )
    if options["scratch"]:
        tune.from_scratch(last.graph)
    return [tune.summary, *tune.results]


def _stages(
    names: list[str],
    seconds: list[float],
    materials: list[Material],
    compared: tuple[str, Images],
    scratch: bool,
    keep: float,
) -> tuple[list[Stage], bytes]:
    """Return a stage for each run and one for the last step in int8, and the int8 model.

    `seconds` are the training times, `compared` the split and the images to compare on. With
    `scratch`, the last run is the control.
    """
    from archscope.bench.onnx_latency import onnx_latencies

    split, images = compared
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
        costs = costs_of(material.network.graph, "float32")
        stage = Stage(name, costs["params"], costs["macs"], costs["peak"], len(model), latency,
                      training_seconds=trained)  # fmt: skip
        stages.append(structs.replace(stage, **{split: material.scores(model, images)}))
    return stages, found.model
