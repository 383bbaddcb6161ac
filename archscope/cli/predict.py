"""`archscope predict`: classify image files with a trained network."""

from __future__ import annotations

from pathlib import Path

import click
from msgspec import structs

from archscope.cli.shared import completion
from archscope.cli.shared.options import Output, output_options
from archscope.cli.shared.training_options import runs_dir_option
from archscope.records.run_folder import find_run
from archscope.report.table import NAME, SHARE, Column, Table

GROUP = "Train and search"


@click.command("predict")
@click.argument("run", shell_complete=completion.runs)
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--top", type=click.IntRange(1), default=5, help="Number of classes to show.")
@runs_dir_option
@output_options
def command(run: str, images: tuple[Path, ...], top: int, runs_dir: Path, output: Output) -> None:
    """Show the most likely classes of image files, according to the network of a run.

    Images are resized to the shape of the training images and preprocessed in the same way.

    \b
    Examples:
      archscope predict lenet5-digits three.png
      archscope predict runs/net-photos a.jpg b.jpg --top 1 --format csv
    """
    from archscope.train.prediction import predict

    predictions = predict(find_run(run, runs_dir), images, top)
    columns = (Column("image", NAME), Column("class", NAME), Column("probability", SHARE))
    rows = tuple(map(structs.astuple, predictions))
    output.show([Table("", columns, rows)], lambda: {"format": 1, "images": predictions})
