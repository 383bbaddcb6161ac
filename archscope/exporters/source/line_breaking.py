"""Break long statements into lines as ruff and black do."""

from __future__ import annotations

from msgspec import Struct

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


def spread(text: str, before: str = "") -> Text:
    """Return a tuple as a group, so that it may be broken; other text as it is."""
    if not text.startswith("(") or not text.endswith(")"):
        return before + text
    items, depth, start = [], 0, 1
    for place, sign in enumerate(text[1:-1], start=1):
        depth += (sign in "([") - (sign in ")]")
        if depth < 0:  # these brackets are not of one tuple
            return before + text
        if sign == "," and not depth:
            items.append(text[start:place])
            start = place + 1
    rest = text[start:-1].strip()
    return Group(
        f"{before}(",
        tuple(spread(item.strip()) for item in (*items, *([rest] if rest else []))),
        ")" if rest else ",)",
        True,
    )
