"""A table before anyone decided how to show it."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from archscope.ir import text_of
from archscope.units import format_value

COUNT, BYTES, SHARE, RATIO, MEASURE = "count", "bytes", "share", "ratio", "measure"
TEXT, NAME, SHAPE = "text", "name", "shape"  # only text may be broken into lines
NUMBERS = (COUNT, BYTES, SHARE, RATIO, MEASURE)


class Column(Struct, frozen=True):
    """One column: its heading, and what kind of value stands in it."""

    name: str
    kind: str = TEXT
    key: str = ""  # what programs call it, if not by the heading


class Table(Struct, frozen=True):
    """Rows of raw values under columns; the last rows may be totals."""

    title: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Any, ...], ...]
    totals: tuple[tuple[Any, ...], ...] = ()


def readable(value: Any, kind: str) -> str:
    """Return a value as people like to read it."""
    if value is None or value == "":
        return ""
    if isinstance(value, str):
        return value
    if kind == SHAPE:
        return text_of(value)
    return format_value(value, kind) if kind in NUMBERS else str(value)


def exact(value: Any, kind: str) -> str:
    """Return a value with all its digits, for other programs."""
    if value is None:
        return ""
    if kind == SHAPE and isinstance(value, tuple):
        return text_of(value)
    return repr(value) if isinstance(value, float) else str(value)
