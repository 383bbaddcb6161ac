"""`archscope evaluate`: measure the accuracy of a trained network on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

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
from archscope.records.run_folder import find_runs, read_summary
from archscope.report.tables.trainings import (
    evaluation_tables,
    pair_evaluation_table,
    seed_evaluations_table,
)

if TYPE_CHECKING:
    from archscope.datasets import Images
    from archscope.records.evaluation import Evaluation, PairEvaluation

GROUP = "Train and search"


@click.command("evaluate")
@click.argument("run", shell_complete=completion.runs)
@data_options
@click.option(
    "--split", type=click.Choice(["test", "validation", "train"]),
    help="Part of the data set. Default: the first of these that it has.",
)  # fmt: skip
@click.option("--weights", type=click.Choice(["best", "last"]), default="best",
              help="Weights of the best validation score, or of the last epoch.")  # fmt: skip
@click.option("--keep", is_flag=True,
              help="Save filters, feature maps, wrong images and the confusion matrix to the run"
              " folder, for `archscope report`.")  # fmt: skip
@machine_options
@runs_dir_option
@output_options
def command(run: str, output: Output, **options: Any) -> None:
    """Measure the network of a run on the test images of a data set.

    The default data set is the one that the run was trained on, or its validation images if it has
    no test images. The result has accuracies with 95 % confidence intervals, overall and by class,
    the most frequent mistakes, and the accuracy of guessing. For embeddings it is verification:
    whether pairs from classes that they were not trained on are told apart.

    The common name of runs made by `train --seeds` stands for all of them: mean and spread.

    \b
    Examples:
      archscope evaluate lenet5-digits
      archscope evaluate lenet5-digits --keep
      archscope evaluate runs/lenet5-mnist --data fashion-mnist --format json
    """
    import torch  # noqa: F401 - report a missing torch before a missing run

    limit_threads(options["threads"])
    paths = find_runs(run, options["runs_dir"])
    found = [_Evaluated(path, options) for path in paths]
    if len(found) == 1:
        result = found[0].result
        output.show(found[0].tables, lambda: result)
        return
    results = [evaluated.result for evaluated in found]
    table = seed_evaluations_table(found[0].about(run), results)
    output.show([table], lambda: {"format": 1, "runs": results})


class _Evaluated:
    """The weights of a run, measured on a part of a data set."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        from archscope.train.metric_learning.evaluation import evaluate_pairs
        from archscope.train.trained_network import evaluate_run, images_of

        summary = read_summary(path)
        self.which = options["weights"]
        self.dataset = dataset_of(summary, options["data_dir"], options["data"])
        self.split, images = images_of(path, self.dataset, options["split"])
        device = options["device"] or "auto"
        if options["keep"]:
            self._keep(path, images, device)
        self.result: Evaluation | PairEvaluation
        title = self.about(path.name)
        if summary.task["kind"] == "metric":
            pairs = evaluate_pairs(path, self.dataset, images, self.which, device)
            self.result, self.tables = pairs, [pair_evaluation_table(title, pairs)]
        else:
            result = evaluate_run(path, self.dataset, images, self.which, device)
            self.result, self.tables = result, evaluation_tables(title, result)

    def about(self, name: str) -> str:
        """Return the title of a table."""
        return f"{name} ({self.which} weights) on {self.dataset.name}, {self.split}"

    def _keep(self, path: Path, images: Images, device: str) -> None:
        from archscope.records.inspection import write_inspection
        from archscope.train.inspection import inspect_run

        kept = write_inspection(path, inspect_run(path, self.dataset, images, device))
        say(f"kept: {kept.as_posix()}")
