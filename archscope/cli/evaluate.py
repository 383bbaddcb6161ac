"""`archscope evaluate`: a trained network on images it did not see."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from archscope.cli import FINE
from archscope.cli.shared.options import output_options, show
from archscope.cli.train import data_options, machine_options
from archscope.errors import OptionError
from archscope.report.table import COUNT, NAME, RATIO, SHARE, Column, Table

GROUP = "Train"
MISTAKES = 5  # pairs of classes that are shown


@click.command("evaluate")
@click.argument("run")
@data_options
@click.option("--split", type=click.Choice(["test", "train"]), default="test", show_default=True,
              help="Which images of the data set.")  # fmt: skip
@click.option("--weights", type=click.Choice(["best", "last"]), default="best", show_default=True,
              help="Of the best validation, or of the last epoch.")  # fmt: skip
@click.option("--keep", is_flag=True,
              help="Keep filters, feature maps, wrong images and the confusion matrix in the run"
              " folder, for `archscope report`.")  # fmt: skip
@machine_options
@click.option("--runs-dir", type=click.Path(path_type=Path), default=Path("runs"), metavar="DIR",
              show_default=True, help="Where runs are kept.")  # fmt: skip
@output_options
def command(run: str, form: str, output: Path | None, **options: Any) -> int:
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
    from archscope.train.metric_learning.evaluation import judge_pairs
    from archscope.train.run_folder import find, read_summary
    from archscope.train.trained_run import judge

    path = find(run, options["runs_dir"])
    summary = read_summary(path)
    source = summary.data["source"]
    words, folder = options["data"], options["data_dir"]
    if words is None:
        words = source["name"]
        folder = folder or (source.get("folder") and Path(source["folder"]))
    dataset = datasets.load(words, folder)
    images = getattr(dataset, options["split"])
    if images is None:
        raise OptionError(f"data set '{dataset.name}' has no test images; try --split train")
    if options["threads"]:
        import torch

        torch.set_num_threads(options["threads"])
    how = options["weights"], options["device"] or "auto"
    title = f"{path.name} ({options['weights']} weights) on {dataset.name}, {options['split']}"
    if options["keep"]:
        from archscope.cli.shared.inspect_run import keep_look

        kept = keep_look(path, dataset, images, options["device"] or "auto")
        click.echo(f"kept: {kept.as_posix()}", err=True)
    if summary.task["kind"] == "metric":
        verified = judge_pairs(path, dataset, images, *how)
        columns = (Column("images", COUNT), Column("pairs", COUNT), *map(_measure, verified.scores))
        row = (verified.images, verified.pairs, *verified.scores.values())
        about = f"{title}, pairs of {len(verified.classes)} classes"
        show([Table(about, columns, (row,))], form, output, lambda: verified)
        return FINE
    result = judge(path, dataset, images, *how)
    classes = dataset.classes
    parts: list[Any] = [
        Table(
            title,
            (Column("images", COUNT), *map(_measure, result.scores)),
            ((len(images), *result.scores.values()),),
        )
    ]
    rows = tuple(
        (name, sum(row), row[place] / sum(row) if sum(row) else None)
        for place, (name, row) in enumerate(zip(classes, result.confusion, strict=True))
    )
    columns = (Column("class", NAME), Column("images", COUNT), Column("right", SHARE))
    parts.append(Table("", columns, rows))
    wrong = sorted(
        (
            (classes[one], classes[other], count)
            for one, row in enumerate(result.confusion)
            for other, count in enumerate(row)
            if one != other and count
        ),
        key=lambda pair: -pair[2],
    )
    columns = (Column("class", NAME), Column("taken for", NAME), Column("images", COUNT))
    if wrong:
        parts.append(Table("", columns, tuple(wrong[:MISTAKES])))
    show(parts, form, output, lambda: result)
    return FINE


def _measure(name: str) -> Column:
    return Column(name, RATIO if name.endswith("loss") else SHARE)
