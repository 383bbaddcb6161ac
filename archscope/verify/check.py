"""What a check finds."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from msgspec import Struct

from archscope.ir import Graph


class Difference(Struct, frozen=True):
    """One number that an oracle sees otherwise."""

    node: str  # or "total"
    what: str
    ours: str
    theirs: str


class Check(Struct, frozen=True):
    """One comparison of our numbers with an oracle's."""

    name: str
    oracle: str
    compared: int  # numbers held against each other
    differences: tuple[Difference, ...]
    note: str = ""  # what could not be compared, and why


Checker = Callable[[Graph], Check]


def compare(
    name: str,
    oracle: str,
    what: str,
    pairs: Iterable[tuple[str, Any, Any]],
    note: str = "",
) -> Check:
    """Return the check that (node, ours, theirs) triples make."""
    rows = list(pairs)
    differences = tuple(
        Difference(node, what, _text(ours), _text(theirs))
        for node, ours, theirs in rows
        if ours != theirs
    )
    return Check(name, oracle, len(rows), differences, note)


def _text(value: Any) -> str:
    if isinstance(value, tuple) and all(isinstance(part, int) for part in value):
        return "x".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
