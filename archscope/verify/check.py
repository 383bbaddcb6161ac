"""The result of a check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from archscope.ir import Graph


class Difference(Struct, frozen=True):
    """A number on which we and the oracle differ."""

    node: str  # or "total"
    what: str
    ours: str
    theirs: str


class Check(Struct, frozen=True):
    """A comparison of our numbers with those of an oracle."""

    name: str
    oracle: str
    compared: int  # how many numbers
    differences: tuple[Difference, ...]
    note: str = ""  # what could not be compared, and why


Checker = Callable[[Graph], Check]

Pairs = list[tuple[str, Any, Any]]
"""Nodes, our numbers and those of the oracle."""


def compare(name: str, oracle: str, what: str, pairs: Pairs, note: str = "") -> Check:
    """Return the check of (node, ours, theirs) triples."""
    differences = tuple(
        Difference(node, what, _text(ours), _text(theirs))
        for node, ours, theirs in pairs
        if ours != theirs
    )
    return Check(name, oracle, len(pairs), differences, note)


def _text(value: Any) -> str:
    if isinstance(value, tuple) and all(isinstance(part, int) for part in value):
        return "x".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
