"""Tables, headings and lines: what a command shows, independent of the output format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct

from archscope.ir import text_of
from archscope.units import format_value

COUNT, BYTES, SHARE, RATIO, MEASURE = "count", "bytes", "share", "ratio", "measure"
TEXT, NAME, SHAPE = "text", "name", "shape"  # only text may be broken into lines
NUMBERS = (COUNT, BYTES, SHARE, RATIO, MEASURE)


class Column(Struct, frozen=True):
    """One column: its heading and the kind of its values."""

    name: str
    kind: str = TEXT
    key: str = ""  # the heading in formats for programs, if it differs
    wide: bool = False  # too long for a terminal, which leaves it out


class Table(Struct, frozen=True):
    """Rows of raw values under columns, followed by rows of totals."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    totals: tuple[tuple[Any, ...], ...] = ()


class Heading(Struct, frozen=True):
    """The title of a section of several tables and lines."""

    text: str


Part = Table | Heading | str


class CommandOutput(Struct, frozen=True):
    """What a command has to show; each output format takes what suits it."""

    parts: Sequence[Part]  # for people
    data: Callable[[], Any] = dict  # for JSON
    records: Callable[[], Table] | None = None  # one flat table for CSV, if not those of `parts`


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
