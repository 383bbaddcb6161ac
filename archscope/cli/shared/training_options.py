"""Options of the commands around training, and the data set of a run."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from archscope.cli.shared.options import together
from archscope.errors import OptionError

if TYPE_CHECKING:
    from archscope.datasets import Dataset
    from archscope.records.training import RunSummary

runs_dir_option = click.option(
    "--runs-dir", type=click.Path(path_type=Path), default=Path("runs"), metavar="DIR",
    help="Where runs are kept.",
)  # fmt: skip

data_options = together(
    click.option(
        "--data", "data", metavar="DATA",
        help="Images: a data set's name, folder:PATH, or synthetic. Default: digits.",
    ),
    click.option(
        "--data-dir", type=click.Path(path_type=Path), metavar="DIR",
        help="Where the files of the data set are, if not in a usual place.",
    ),
    click.option(
        "--adapt", type=click.Choice(["resize", "pad"]), default="resize",
        help="How to bring images to the size of the network's input.",
    ),
    click.option(
        "--channels", type=click.Choice(["same", "repeat"]), default="same",
        help="Repeat the one channel of grey images for a network that takes several, or not.",
    ),
)  # fmt: skip

machine_options = together(
    click.option(
        "--device", default=None, metavar="DEVICE",
        help="auto, cpu, cuda or cuda:1; auto takes a GPU if there is one.  [default: auto]",
    ),
    click.option("--threads", type=click.IntRange(1), help="Threads on the CPU. Default: torch's."),
)  # fmt: skip

recipe_options = together(
    click.option(
        "--recipe", default=None, metavar="RECIPE",
        help="brief, metric, standard, course, or a YAML file of knobs; `archscope recipes`"
        " explains them.  [default: brief; metric for a metric loss]",
    ),
    click.option("--epochs", type=int, help="Knob: times that all images are seen."),
    click.option("--batch", type=int, help="Knob: images of one step."),
    click.option("--lr", "learning_rate", type=float, help="Knob: the highest learning rate."),
    click.option("--optimizer", help="Knob: sgd, momentum, nesterov, adagrad, rmsprop, adam(w)."),
    click.option("--loss", help="Knob: cross-entropy, hinge, contrastive, triplet, arcface ..."),
    click.option("--max-time", metavar="TIME", help="Knob: stop after a time such as 90s or 5m."),
    click.option(
        "--recipe-set", "knobs", multiple=True, metavar="KNOB=VALUE",
        help="Any knob of the recipe: --recipe-set ema=0.99 --recipe-set flip=true.",
    ),
)  # fmt: skip


def dataset_of(summary: RunSummary, folder: Path | None = None, name: str | None = None) -> Dataset:
    """Return the data set that a run was trained on, or another, from a folder if given.

    Images that differ in size are brought to that of the run's. Raises ArchscopeError.
    """
    from archscope import datasets

    shape = summary.data.get("adaptation", {}).get("source", ())
    if name is not None:
        return datasets.load(name, folder, network=shape)
    source = summary.data.get("source")
    if source is None:
        raise OptionError(f"the run.json of '{summary.name}' has no data.source; name it by --data")
    place = folder or (source.get("folder") and Path(source["folder"]))
    return datasets.load(source["name"], place, network=shape)


def limit_threads(count: int | None) -> None:
    """Set the number of torch's threads, if one is given."""
    if count is not None:
        import torch

        torch.set_num_threads(count)
