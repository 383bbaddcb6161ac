"""Tables, headings and lines: the output of a command, independent of its format."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

from msgspec import Struct

from archscope.ir import text_of
from archscope.units import format_value

COUNT, BYTES, SHARE, RATIO, MEASURE = "count", "bytes", "share", "ratio", "measure"
TEXT, NAME, SHAPE = "text", "name", "shape"  # texts are wrapped first, then names
PICTURE = "picture"  # a bar or a sparkline, of which each character counts: it is never wrapped
NUMBERS = (COUNT, BYTES, SHARE, RATIO, MEASURE)
MINOR = 0  # rank of a column that can be computed from others
MAJOR = 2  # rank of a column that was requested, or that the table is read for


class Column(Struct, frozen=True):
    """One column: its heading and the kind of its values."""

    name: str
    kind: str = TEXT
    key: str = ""  # the heading in formats for programs, if it differs
    wide: bool = False  # too wide for a terminal, so it is left out there
    rank: int = 1  # if there is no room, the lowest is left out first; among equals, the last


class Table(Struct, frozen=True):
    """Rows of raw values under columns, followed by rows of totals."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    totals: tuple[tuple[Any, ...], ...] = ()


T = TypeVar("T")

Field = tuple[Column, Callable[[T], Any]]
"""A column, and the function that takes its value from the item of a row."""


def table_of(items: Iterable[T], *fields: Field[T], title: str = "") -> Table:
    """Return a table with one row for each item."""
    return Table(title, columns_of(fields), tuple(cells_of(item, fields) for item in items))


def columns_of(fields: Iterable[Field[T]]) -> tuple[Column, ...]:
    """Return the columns of some fields."""
    return tuple(column for column, _ in fields)


def cells_of(item: T, fields: Iterable[Field[T]]) -> tuple[Any, ...]:
    """Return the values of an item in the order of the fields."""
    return tuple(value(item) for _, value in fields)


class Heading(Struct, frozen=True):
    """The title of a section of several tables and lines."""

    text: str


Part = Table | Heading | str


class CommandOutput(Struct, frozen=True):
    """The output of a command; each output format uses the parts that suit it."""

    parts: Sequence[Part]  # for people
    data: Callable[[], Any] = dict  # for JSON
    records: Callable[[], Table] | None = None  # a flat table for CSV instead of those of `parts`
    wide: bool = False  # whether the table format shows all columns, regardless of width


def readable(value: Any, kind: str) -> str:
    """Format a value for people: rounded, with a unit."""
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        return value
    if kind == SHAPE:
        return text_of(value)
    return format_value(value, kind) if kind in NUMBERS else str(value)


def exact(value: Any, kind: str) -> str:
    """Format a value for programs, with all its digits."""
    if value is None:
        return ""
    if kind == SHAPE and isinstance(value, tuple):
        return text_of(value)
    return repr(value) if isinstance(value, float) else str(value)
