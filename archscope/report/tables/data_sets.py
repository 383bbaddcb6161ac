"""Tables of data sets: the list of all, and the content of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archscope.ir import text_of
from archscope.report.table import BYTES, COUNT, NAME, SHAPE, Column, Part, Table

if TYPE_CHECKING:
    from archscope.datasets.listing import Contents, Listing


def data_sets_table(listed: Sequence[Listing]) -> Table:
    """Return a row for each data set."""
    columns = (
        Column("data set", NAME, "name"), Column("train", COUNT), Column("test", COUNT),
        Column("shape", SHAPE), Column("classes", COUNT), Column("size", BYTES, "bytes"),
        Column("found", NAME), Column("looked in", wide=True), Column("about", wide=True),
        Column("get", wide=True),
    )  # fmt: skip
    rows = tuple(
        (
            source.name, source.train, source.test, source.shape, source.classes, source.bytes,
            source.found, ", ".join(source.places), source.about, source.get,
        )
        for source in listed
    )  # fmt: skip
    return Table("", columns, rows)


def data_set_parts(contents: Contents) -> list[Part]:
    """Return the content of a data set: images of each class, and statistics."""
    rows = tuple((row.name, row.train, row.test) for row in contents.classes)
    columns = (Column("class", NAME), Column("train", COUNT), Column("test", COUNT))
    totals = (("total", contents.train, contents.test),)
    return [
        f"{contents.name}: {contents.about}, {text_of(contents.shape)}",
        Table("", columns, rows, totals),
        f" mean   {', '.join(f'{value:.4f}' for value in contents.mean)}",
        f" std    {', '.join(f'{value:.4f}' for value in contents.std)}",
        f" sha256 {contents.digest}",
    ]
