"""What `expand` works with: the document, its named values, and blocks while they are filled."""

from __future__ import annotations

from collections.abc import Container, Mapping
from typing import Any

from msgspec import Struct

from archscope.errors import did_you_mean
from archscope.language.expression import ExpressionError, ExpressionLimitError, Frame
from archscope.language.limits import LIMITS
from archscope.language.syntax import Block, Value

Flow = tuple[str, ...]
"""The nodes whose values enter a layer: one in a chain, several after `from: [a, b]`."""

Mirror = tuple[str, str] | None
"""A path and the earlier path whose weights are shared, part for part."""


class Document(Struct, frozen=True):
    """A whole spec, with everything that it takes from other files."""

    name: str
    inputs: dict[str, Value]
    let: dict[str, Value]
    blocks: dict[str, Block]
    body: Block
    about: str = ""
    reference: dict[str, Any] = {}
    paper: str = ""
    file: str = ""  # where it was read from
    open: bool = False  # whether it has holes


class Lets(Frame):
    """The named values of a file, computed when first asked for, in any order."""

    __slots__ = ("pending", "values_of")

    def __init__(self, values: Mapping[str, Value]) -> None:
        super().__init__(None)
        self.values_of = values
        self.pending: list[str] = []

    def __missing__(self, name: str) -> Any:
        if name not in self.values_of:
            raise KeyError(name)
        if name in self.pending:
            circle = [*self.pending[self.pending.index(name) :], name]
            raise ExpressionError(f"'let' goes in a circle ({' -> '.join(circle)})")
        if len(self.pending) == LIMITS.depth:
            raise ExpressionLimitError(
                f"values of 'let' in a row beyond the limit of {LIMITS.depth}"
            )
        self.pending.append(name)
        value = self.values_of[name](self)
        if value is None:
            raise ExpressionError(f"'{name}' has no value", f"; give it one with --set {name}=...")
        self[name] = value
        self.pending.pop()
        return value

    def names(self) -> set[str]:
        """Return all names known here."""
        return set(self.values_of)


def label_text(label: str, numbered: bool, turns: tuple[int, ...]) -> str:
    """Return how paths call a layer in a turn of the loops around it: `block2`, `conv0_2`."""
    for turn in turns:
        label += f"_{turn}" if numbered or label[-1].isdigit() else str(turn)
        numbered = True
    return label


class Place:
    """One instance of a block while it is filled: its names, counters and parameters."""

    __slots__ = (
        "block", "counters", "entry", "mirror", "names", "path", "prefix", "shares", "turns",
    )  # fmt: skip

    def __init__(
        self, block: Block, prefix: str, entry: Flow, mirror: Mirror, path: str = ""
    ) -> None:
        self.block, self.prefix, self.entry, self.mirror = block, prefix, entry, mirror
        self.path = path  # of its holes
        self.turns: tuple[int, ...] = ()  # of the loops around the layer at hand
        self.names: dict[str, Flow] = {}
        self.counters: dict[str, int] = {}
        self.shares: dict[str, str] = {}

    def take(self, base: str) -> str:
        """Return the full name of the next node or block called `base`."""
        if base not in self.block.numbered:
            return self.prefix + base
        number = self.counters.get(base, 0)
        self.counters[base] = number + 1
        # After a digit the number stands apart: relu6_1 is the second relu6.
        return f"{self.prefix}{base}{'_' if base[-1].isdigit() else ''}{number}"

    def skip(self, base: str) -> None:
        """Keep the number of a layer that `when` leaves out, so that later ones stay put."""
        if base in self.block.numbered:
            self.counters[base] = self.counters.get(base, 0) + 1

    def holes_of(self, label: tuple[str, bool]) -> tuple[str, str]:
        """Return by which paths the holes of a layer are called: its own, and when shared."""
        home = f"{self.block.name}." if self.block.name else ""
        return f"{self.path}{label_text(*label, self.turns)}.", f"{home}{label[0]}."

    def why_missing(self, name: str, taken: Container[str]) -> str:
        """Return what to say of a name in `from:` that is none; `taken` are the nodes' names."""
        if name in self.block.names:
            return (
                f"'{name}' is not there yet: a layer reads only layers before it,"
                " so that there is no cycle"
            )
        if self.prefix + name in taken:
            return f"no layer is named '{name}'; write 'name: {name}' beside the one that you mean"
        return f"no layer is named '{name}'{did_you_mean(name, {*self.names, 'in'})}"
