"""Options of commands that train or evaluate, and the data set of a run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from archscope.cli.shared import completion
from archscope.cli.shared.options import THREADS, Command, together
from archscope.datasets.source import SOURCES
from archscope.errors import OptionError

if TYPE_CHECKING:
    from archscope.datasets import Dataset
    from archscope.records.training import RunSummary

runs_dir_option = click.option(
    "--runs-dir", type=click.Path(path_type=Path), default=Path("runs"), metavar="DIR",
    help="Folder of all runs.",
)  # fmt: skip

data_dir_option = click.option(
    "--data-dir", type=click.Path(path_type=Path), metavar="DIR",
    help="Folder of the data set's files, if not in a usual place.",
)  # fmt: skip

adapt_option = click.option(
    "--adapt", type=click.Choice(["resize", "pad"]), default="resize",
    help="How to fit images to the size of the network's input.",
)  # fmt: skip


def data_option(about: str) -> Callable[[Command], Command]:
    """Return the option for a data set, with its help and the names that ship with archscope."""
    known = (f"{name}{':PATH' * bool(kind.argument)}" for name, kind in SOURCES.own.items())
    return click.option(
        "--data", metavar="DATA", default=None, shell_complete=completion.data_sets,
        help=f"{about} One of {', '.join(sorted(known))}; `archscope data` lists them.",
    )  # fmt: skip


data_options = together(
    data_option("Data set. Default: digits."),
    data_dir_option,
    adapt_option,
    click.option(
        "--channels", type=click.Choice(["same", "repeat"]), default="same",
        help="Repeat the channel of grey images if the network takes several, or not.",
    ),
)  # fmt: skip

machine_options = together(
    click.option(
        "--device", default=None, metavar="DEVICE",
        help="Device: auto, cpu, cuda or cuda:1; auto takes a GPU if there is one."
        "  [default: auto]",
    ),
    click.option("--threads", type=THREADS, help="Threads on the CPU; by default that of torch."),
)  # fmt: skip

recipe_options = together(
    click.option(
        "--recipe", default=None, metavar="RECIPE", shell_complete=completion.recipes,
        help="brief, metric, standard, course, or a YAML file of knobs; `archscope recipes`"
        " explains them.  [default: brief; metric for a metric loss]",
    ),
    click.option("--epochs", type=click.IntRange(1), help="Knob: number of epochs."),
    click.option("--batch", type=click.IntRange(1), help="Knob: images per step."),
    click.option(
        "--lr", "learning_rate", type=click.FloatRange(0, min_open=True),
        help="Knob: peak learning rate.",
    ),
    click.option("--optimizer", help="Knob: sgd, momentum, nesterov, adagrad, rmsprop, adam(w)."),
    click.option("--loss", help="Knob: cross-entropy, hinge, contrastive, triplet, arcface ..."),
    click.option("--max-time", metavar="TIME", help="Knob: stop after this time: 90s, 5m."),
    click.option(
        "--recipe-set", "knobs", multiple=True, metavar="KNOB=VALUE",
        help="Any knob of the recipe: --recipe-set ema=0.99 --recipe-set flip=true.",
    ),
)  # fmt: skip


def dataset_of(summary: RunSummary, folder: Path | None = None, name: str | None = None) -> Dataset:
    """Return the data set that a run was trained on, or the one called `name`.

    Images are resized to the size of the run's. Raises ArchscopeError.
    """
    from archscope import datasets

    shape = summary.data.get("adaptation", {}).get("source", ())
    if name is not None:
        return datasets.load(name, folder, network=shape)
    source = summary.data.get("source")
    if source is None:
        raise OptionError(f"the run.json of '{summary.name}' has no data.source; give --data")
    place = folder or (source.get("folder") and Path(source["folder"]))
    return datasets.load(source["name"], place, network=shape)


def limit_threads(count: int | None) -> None:
    """Set the number of torch's threads, if a number is given."""
    if count is not None:
        import torch

        torch.set_num_threads(count)
