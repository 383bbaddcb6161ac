"""Tables of data sets: the list of all, and the content of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from archscope.ir import text_of
from archscope.report.table import BYTES, COUNT, NAME, SHAPE, Column, Part, Table, table_of

if TYPE_CHECKING:
    from archscope.datasets.listing import Contents, Listing


def data_sets_table(listed: Sequence[Listing]) -> Table:
    """Return a row for each data set."""
    return table_of(
        listed,
        (Column("data set", NAME, "name"), lambda source: source.name),
        (Column("train", COUNT), lambda source: source.train),
        (Column("test", COUNT), lambda source: source.test),
        (Column("shape", SHAPE), lambda source: source.shape),
        (Column("classes", COUNT), lambda source: source.classes),
        (Column("size", BYTES, "bytes"), lambda source: source.bytes),
        (Column("found", NAME), lambda source: source.found),
        (Column("looked in", wide=True), lambda source: ", ".join(source.places)),
        (Column("about", wide=True), lambda source: source.about),
        (Column("get", wide=True), lambda source: source.get),
    )


def data_set_parts(contents: Contents) -> list[Part]:
    """Return the content of a data set: images of each class, and statistics."""
    splits = ("train", "test") if contents.validation is None else ("train", "validation", "test")
    rows = tuple((row.name, *(getattr(row, split) for split in splits)) for row in contents.classes)
    columns = (Column("class", NAME), *(Column(split, COUNT) for split in splits))
    totals = (("total", *(getattr(contents, split) for split in splits)),)
    return [
        f"{contents.name}: {contents.about}, {text_of(contents.shape)}",
        Table("", columns, rows, totals),
        f" mean   {', '.join(f'{value:.4f}' for value in contents.mean)}",
        f" std    {', '.join(f'{value:.4f}' for value in contents.std)}",
        f" sha256 {contents.digest}",
    ]
