"""`archscope data`: list the data sets, or show what is in one."""

from __future__ import annotations

from pathlib import Path

import click

from archscope.cli.shared import completion
from archscope.cli.shared.options import Output, output_options
from archscope.cli.shared.terminal import say
from archscope.report.table import Part
from archscope.report.tables.data_sets import data_set_parts, data_sets_table

GROUP = "Train and search"


@click.command("data")
@click.argument("name", required=False, shell_complete=completion.data_sets)
@click.option(
    "--data-dir", "folder", type=click.Path(path_type=Path), metavar="PATH",
    help="Look in this folder instead of the usual places.",
)  # fmt: skip
@output_options
def command(name: str | None, folder: Path | None, output: Output) -> None:
    """List the data sets to train on, or read one and show what is in it.

    Nothing is downloaded: for each missing data set, the list shows where archscope looked and how
    to get the files. Name another folder by --data-dir, or for all commands by the environment
    variable ARCHSCOPE_DATA. Reading a data set checks its files, against published checksums
    where there are any.

    \b
    Examples:
      archscope data
      archscope data fashion-mnist
      archscope data cifar10 --data-dir ~/downloads
      archscope data folder:photos,size=64
      archscope data synthetic:classes=10,shape=1x28x28 --format json
    """
    if name is None:
        from archscope.datasets.listing import listing

        found = listing(folder)
        parts: list[Part] = [data_sets_table(found)]
        if output.form == "table":
            parts += [
                f" {source.name} is in none of {', '.join(source.places)}:\n   {source.get}"
                for source in found
                if not source.present
            ]
        output.show(parts, lambda: {"format": 1, "data": found})
        return
    from archscope.datasets import load
    from archscope.datasets.listing import contents

    dataset = load(name, folder)
    for note in dataset.notes:
        say(f"note: {note}")
    result = contents(dataset)
    output.show(data_set_parts(result), lambda: {"format": 1, "data": result})
