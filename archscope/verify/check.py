"""The result of a check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from archscope.ir import Graph


class Difference(Struct, frozen=True):
    """A number that differs between archscope and the oracle."""

    node: str  # or "total"
    what: str
    ours: str
    theirs: str


class Check(Struct, frozen=True):
    """The comparison of archscope's numbers with those of an oracle."""

    name: str
    oracle: str
    compared: int  # number of compared numbers
    differences: tuple[Difference, ...]
    note: str = ""  # what could not be compared, and why


Checker = Callable[[Graph], Check]

Pairs = list[tuple[str, Any, Any]]
"""Triples of a node, archscope's number and the oracle's."""


def compare(name: str, oracle: str, what: str, pairs: Pairs, note: str = "") -> Check:
    """Compare (node, ours, theirs) triples."""
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
