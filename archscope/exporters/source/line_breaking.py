"""Break long statements into lines as ruff and black do."""

from __future__ import annotations

from math import isfinite
from typing import Any

from msgspec import Struct, structs

WIDTH = 100
STEP = "    "


class Group(Struct, frozen=True):
    """Items between brackets, which can be broken over lines.

    A `tall` group has a line for each item as soon as it does not fit on one line.
    """

    opening: str
    items: tuple[Text, ...]
    closing: str
    tall: bool = False

    def __str__(self) -> str:
        return f"{self.opening}{', '.join(map(str, self.items))}{self.closing}"


class Chain(Struct, frozen=True):
    """Terms between operators, which can be broken over lines."""

    terms: tuple[str, ...]
    sign: str

    def __str__(self) -> str:
        return f" {self.sign} ".join(self.terms)


Text = str | Group | Chain


def statement(indent: str, text: Text, before: str = "", after: str = "") -> list[str]:
    """Return a statement as lines."""
    line = f"{indent}{before}{text}{after}"
    deeper = indent + STEP
    if len(line) <= WIDTH or isinstance(text, str):
        return [line]
    if isinstance(text, Chain):
        first, *rest = text.terms
        lines = [f"{indent}{before}(", deeper + first]
        return [*lines, *(f"{deeper}{text.sign} {term}" for term in rest), f"{indent}){after}"]
    if not text.items:
        return [line]
    inside = ", ".join(map(str, text.items))
    lines = [f"{indent}{before}{text.opening}"]
    if len(deeper + inside) <= WIDTH and not text.tall:
        lines.append(deeper + inside)
    else:
        for item in text.items:
            lines += statement(deeper, item, after=",")
    return [*lines, f"{indent}{text.closing}{after}"]


def literal(value: Any) -> Text:
    """Return the Python literal of a value; a tuple is a group, so that it can be broken."""
    if isinstance(value, float) and not isfinite(value):
        return f'float("{value}")'
    if isinstance(value, str):
        return '"' + repr(value)[1:-1].replace('"', '\\"') + '"'
    if isinstance(value, tuple):
        return Group("(", tuple(map(literal, value)), ",)" if len(value) == 1 else ")", True)
    return repr(value)


def prefixed(before: str, text: Text) -> Text:
    """Return a text with another one before it, to be broken in the same places."""
    if isinstance(text, Group):
        return structs.replace(text, opening=before + text.opening)
    return f"{before}{text}"
