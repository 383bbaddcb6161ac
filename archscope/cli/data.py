"""`archscope data`: the data sets to train with, and what is in one of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from archscope.cli import FINE
from archscope.cli.shared.options import output_options, show
from archscope.ir import text_of
from archscope.report.table import BYTES, COUNT, NAME, SHAPE, Column, Table

if TYPE_CHECKING:
    from archscope.datasets.listing import Contents, Listing

GROUP = "Train"


@click.command("data")
@click.argument("name", required=False)
@click.option(
    "--data-dir", "folder", type=click.Path(path_type=Path), metavar="PATH",
    help="Look in this folder instead of the usual places.",
)  # fmt: skip
@output_options
def command(name: str | None, folder: Path | None, form: str, output: Path | None) -> int:
    """List the data sets to train with, or read one and say what is in it.

    Nothing is downloaded: the list says where each was looked for and how to get it. Another
    folder is named by --data-dir, or for all commands by the variable ARCHSCOPE_DATA. Reading a
    data set checks it, against published checksums where there are any.

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
        parts: list[Any] = [_list(found, wide=form != "table")]
        if form == "table":
            parts += [_missing(one) for one in found if not one.present]
        show(parts, form, output, lambda: {"format": 1, "data": found})
        return FINE
    from archscope.datasets import load
    from archscope.datasets.listing import contents

    result = contents(load(name, folder))
    show(_read(result), form, output, lambda: {"format": 1, "data": result})
    return FINE


def _list(found: tuple[Listing, ...], *, wide: bool) -> Table:
    """Return one row for each source; `wide` also says what it is and how to get it."""
    columns = [
        Column("data set", NAME, "name"), Column("train", COUNT), Column("test", COUNT),
        Column("shape", SHAPE), Column("classes", COUNT), Column("size", BYTES, "bytes"),
        Column("found", NAME),
    ]  # fmt: skip
    rows: list[tuple[object, ...]] = [
        (one.name, one.train, one.test, one.shape, one.classes, one.bytes, one.found)
        for one in found
    ]
    if wide:
        columns += [Column("looked in"), Column("about"), Column("get")]
        rows = [
            (*row, ", ".join(one.places), one.about, one.get)
            for row, one in zip(rows, found, strict=True)
        ]
    return Table("", tuple(columns), tuple(rows))


def _missing(one: Listing) -> str:
    return f" {one.name} is in none of {', '.join(one.places)}:\n   {one.get}"


def _read(result: Contents) -> list[Any]:
    """Return what is in a data set: a line, a row for each class, lines."""
    rows = tuple((row.name, row.train, row.test) for row in result.classes)
    columns = (Column("class", NAME), Column("train", COUNT), Column("test", COUNT))
    totals = (("total", result.train, result.test),)
    return [
        f"{result.name}: {result.about}, {text_of(result.shape)}",
        Table("", columns, rows, totals),
        f" mean   {', '.join(f'{value:.4f}' for value in result.mean)}",
        f" std    {', '.join(f'{value:.4f}' for value in result.std)}",
        f" sha256 {result.digest}",
    ]
