"""`archscope evaluate`: measure the accuracy of a network on a data set."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope import language
from archscope.cli.shared import completion
from archscope.cli.shared.given_weights import check_exists, given_weights, own_weights
from archscope.cli.shared.inapplicable import refuse_given, refused
from archscope.cli.shared.options import (
    Output,
    SpecReader,
    output_options,
    unfused_reader_options,
)
from archscope.cli.shared.terminal import say
from archscope.cli.shared.training_options import (
    adapt_option,
    data_dir_option,
    data_option,
    dataset_of,
    limit_threads,
    machine_options,
    runs_dir_option,
)
from archscope.errors import OptionError
from archscope.records.run_folder import find_runs, read_summary
from archscope.report.tables.trainings import (
    evaluation_tables,
    pair_evaluation_table,
    seed_evaluations_table,
)
from archscope.sources import is_foreign

if TYPE_CHECKING:
    from torch import Tensor

    from archscope.datasets import Images
    from archscope.records.evaluation import Evaluation, PairEvaluation
    from archscope.records.training import RunSummary
    from archscope.report.table import Part

GROUP = "Train and search"
OF_RUN = ("best", "last")


@click.command("evaluate")
@click.argument("name", metavar="RUN|SPEC", shell_complete=completion.runs_and_specs)
@data_option("Data set. Default: that of the run; a SPEC needs it.")
@data_dir_option
@adapt_option
@click.option(
    "--split", type=click.Choice(["test", "validation", "train"]),
    help="Part of the data set. Default: the first of these that it has.",
)  # fmt: skip
@click.option("--weights", metavar="WEIGHTS",
              help="Of a run: best, the weights of the best validation score, or last, those of the"
                   " last epoch. Or a file: .safetensors, a state dict (.pth, .pt), or the folder"
                   " of another run.  [default: best; of a model to import, its own]")  # fmt: skip
@click.option("--normalize", type=click.Choice(["data", "imagenet", "none"]), default="data",
              help="What images are normalised by for a SPEC: mean and deviation of the data set's"
                   " training images, those of ImageNet, or nothing: pixels from 0 to"
                   " 1.")  # fmt: skip
@click.option("--keep", is_flag=True,
              help="Save filters, feature maps, wrong images and the confusion matrix to the run"
              " folder, for `archscope report`.")  # fmt: skip
@unfused_reader_options
@refused(
    batch="scores do not depend on it",
    dtype="scores are those of float32; a run has its own precision",
    fused="folding batch norms does not change what a network computes",
)
@machine_options
@runs_dir_option
@output_options
def command(name: str, reader: SpecReader, output: Output, **options: Any) -> None:
    """Measure a trained network on the test images of a data set.

    The network is that of a run, or that of a SPEC with the weights of a file. The default data set
    of a run is the one that it was trained on, or its validation images if it has no test images.
    The result has accuracies with 95 % confidence intervals, overall and by class, the most
    frequent mistakes, and the accuracy of guessing. For embeddings it is verification: whether
    pairs from classes that they were not trained on are told apart.

    The common name of runs made by `train --seeds` stands for all of them: mean and spread.

    \b
    Examples:
      archscope evaluate lenet5-digits
      archscope evaluate lenet5-digits --keep
      archscope evaluate runs/lenet5-mnist --data fashion-mnist --format json
      archscope evaluate lenet5 --weights lenet5.safetensors --data digits
      archscope evaluate resnet18 --weights resnet18.pth \\
        --data folder:imagenet --normalize imagenet
      archscope evaluate net.onnx --data cifar10 --normalize none
    """
    import torch  # noqa: F401 - report a missing torch before a missing run

    limit_threads(options["threads"])
    if _names_network(name, options):
        result, parts = _network(name, reader, options)
        output.show(parts, lambda: result)
        return
    refuse_given(
        ("adapt", "normalize", "settings", "inputs", "max_nodes"),
        "is for a SPEC; a run has its own",
    )
    paths = find_runs(name, options["runs_dir"])
    if len(paths) > 1 and options["weights"] not in (None, *OF_RUN):
        raise OptionError(
            f"--weights: a file has the weights of one network, '{name}' stands for"
            f" {len(paths)} runs"
        )
    found = [_Evaluated(path, options) for path in paths]
    if len(found) == 1:
        evaluated = found[0].result
        output.show(found[0].tables, lambda: evaluated)
        return
    results = [evaluated.result for evaluated in found]
    table = seed_evaluations_table(found[0].about(name), results)
    output.show([table], lambda: {"format": 1, "runs": results})


def _names_network(name: str, options: dict[str, Any]) -> bool:
    """Return whether a word names a network rather than a run.

    Of both, a file of weights chooses the network, and anything else the run.
    """
    weights = options["weights"]
    given = weights not in (None, *OF_RUN)
    network = (
        name == "-"
        or "->" in name
        or name in language.zoo()
        or (Path(name).suffix in (".yaml", ".yml") and Path(name).is_file())
        or is_foreign(name)
    )
    if network == given or weights in OF_RUN:
        return given
    try:
        return not find_runs(name, options["runs_dir"])
    except OptionError:
        return True


def _network(
    name: str, reader: SpecReader, options: dict[str, Any]
) -> tuple[Evaluation, list[Part]]:
    """Measure a network with given weights; return the result, and it as tables."""
    from archscope import datasets
    from archscope.train.given_network import evaluate_weights

    check_exists(name)
    refuse_given(("keep", "runs_dir"), "is for a run")
    path = None if options["weights"] is None else Path(options["weights"])
    if path is None and not is_foreign(name):
        raise OptionError(f"no weights for '{name}': give --weights, or a run")
    if options["data"] is None:
        raise OptionError(f"no images for '{name}': give --data, or a run")
    graph = reader.graph(name)
    weights = given_weights(path, graph) if path else own_weights(name, reader.inputs, graph)
    shape = graph.inputs[0].out
    dataset = datasets.load(options["data"], options["data_dir"], network=shape)
    for note in dataset.notes:
        say(f"note: {note}")
    result = evaluate_weights(
        graph, weights, str(path or name), dataset, options["split"],
        normalize=options["normalize"], adapt=options["adapt"],
        device=options["device"] or "auto",
    )  # fmt: skip
    title = f"{graph.name} (weights of {path or name}) on {dataset.name}, {result.split}"
    return result, [*evaluation_tables(title, result), _normalized(result, options["normalize"])]


def _normalized(result: Evaluation, by: str) -> str:
    """Return a line on how the images were normalised."""
    if by == "none":
        return "images: pixels from 0 to 1, not normalised"
    assert result.normalization is not None
    mean, std = (
        ", ".join(f"{value:.4g}" for value in values)
        for values in (result.normalization.mean, result.normalization.std)
    )
    whose = "ImageNet" if by == "imagenet" else "the data set's training images"
    return f"images: normalised by the mean {mean} and the deviation {std} of {whose}"


class _Evaluated:
    """The weights of a run, measured on a part of a data set."""

    def __init__(self, path: Path, options: dict[str, Any]) -> None:
        from archscope.train.metric_learning.evaluation import evaluate_pairs
        from archscope.train.trained_network import evaluate_run, images_of

        summary = read_summary(path)
        self.which = options["weights"] or OF_RUN[0]
        weights = None
        if self.which not in OF_RUN:
            weights = self.which, self._of_file(path, summary, options["keep"])
            self.which = OF_RUN[0]
        self.dataset = dataset_of(summary, options["data_dir"], options["data"])
        self.split, images = images_of(path, self.dataset, options["split"])
        device = options["device"] or "auto"
        if options["keep"]:
            self._keep(path, images, device)
        self.result: Evaluation | PairEvaluation
        self.of = f"{self.which} weights" if weights is None else f"weights of {weights[0]}"
        title = self.about(path.name)
        if summary.task["kind"] == "metric":
            pairs = evaluate_pairs(path, self.dataset, images, self.which, device)
            self.result, self.tables = pairs, [pair_evaluation_table(title, pairs)]
        else:
            result = evaluate_run(
                path, self.dataset, images, self.which, device, split=self.split, weights=weights
            )
            self.result, self.tables = result, evaluation_tables(title, result)

    def about(self, name: str) -> str:
        """Return the title of a table."""
        return f"{name} ({self.of}) on {self.dataset.name}, {self.split}"

    def _of_file(self, path: Path, summary: RunSummary, keep: bool) -> dict[str, Tensor]:
        """Return the weights of the file that takes the place of a run's. Raises OptionError."""
        from archscope.train.run_folder import read_graph

        if keep:
            raise OptionError("--keep saves what a run's own weights show, got --weights")
        if summary.task["kind"] == "metric":
            raise OptionError(
                f"--weights: the run '{path.name}' learnt embeddings; expected best or last,"
                f" got '{self.which}'"
            )
        return given_weights(Path(self.which), read_graph(path))

    def _keep(self, path: Path, images: Images, device: str) -> None:
        from archscope.records.inspection import write_inspection
        from archscope.train.inspection import inspect_run

        kept = write_inspection(path, inspect_run(path, self.dataset, images, device))
        say(f"kept: {kept.as_posix()}")
