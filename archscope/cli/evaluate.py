"""`archscope evaluate`: measure a trained network on images of a data set."""

from __future__ import annotations

from typing import Any

import click

from archscope.cli.shared import completion
from archscope.cli.shared.options import Output, output_options
from archscope.cli.shared.terminal import say
from archscope.cli.shared.training_options import (
    data_options,
    dataset_of,
    limit_threads,
    machine_options,
    runs_dir_option,
)
from archscope.errors import OptionError
from archscope.report.tables.trainings import evaluation_tables, pair_evaluation_table

GROUP = "Train and search"


@click.command("evaluate")
@click.argument("run", shell_complete=completion.runs)
@data_options
@click.option("--split", type=click.Choice(["test", "train"]), default="test",
              help="Which images of the data set.")  # fmt: skip
@click.option("--weights", type=click.Choice(["best", "last"]), default="best",
              help="Of the best validation, or of the last epoch.")  # fmt: skip
@click.option("--keep", is_flag=True,
              help="Keep filters, feature maps, wrong images and the confusion matrix in the run"
              " folder, for `archscope report`.")  # fmt: skip
@machine_options
@runs_dir_option
@output_options
def command(run: str, output: Output, **options: Any) -> None:
    """Measure the network of a run on the test images of a data set.

    Without --data it is the data set that the run was trained on. Accuracy by class and the
    most frequent mistakes follow. Embeddings are verified instead: whether pairs of classes that
    they were not trained on are told apart.

    \b
    Examples:
      archscope evaluate lenet5-digits
      archscope evaluate lenet5-digits --keep
      archscope evaluate runs/lenet5-mnist --data fashion-mnist --format json
    """
    from archscope import datasets
    from archscope.records.run_folder import find_run, read_summary
    from archscope.train.metric_learning.evaluation import evaluate_pairs
    from archscope.train.trained_network import evaluate_run

    path = find_run(run, options["runs_dir"])
    summary = read_summary(path)
    data, folder, split = options["data"], options["data_dir"], options["split"]
    dataset = datasets.load(data, folder) if data else dataset_of(summary, folder)
    images = getattr(dataset, split)
    if images is None:
        raise OptionError(f"data set '{dataset.name}' has no test images; try --split train")
    limit_threads(options["threads"])
    which, device = options["weights"], options["device"] or "auto"
    if options["keep"]:
        from archscope.records.inspection import write_inspection
        from archscope.train.inspection import inspect_run

        kept = write_inspection(path, inspect_run(path, dataset, images, device))
        say(f"kept: {kept.as_posix()}")
    title = f"{path.name} ({which} weights) on {dataset.name}, {split}"
    if summary.task["kind"] == "metric":
        pairs = evaluate_pairs(path, dataset, images, which, device)
        output.show([pair_evaluation_table(title, pairs)], lambda: pairs)
    else:
        result = evaluate_run(path, dataset, images, which, device)
        output.show(evaluation_tables(title, result), lambda: result)
