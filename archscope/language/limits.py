"""Limits on what a spec may ask for; the error for exceeding one names it."""

from __future__ import annotations

from msgspec import Struct

from archscope.errors import LimitError
from archscope.ir import Source


class Limits(Struct, frozen=True):
    """Bounds on reading and expanding specs, so that a hostile file costs little."""

    file_bytes: int = 8 << 20  # of one file: as many lines of layers as there may be nodes
    files: int = 64  # that one spec may take in through `use` and `extends`
    items: int = 1_000_000  # values in one file, every use of an alias counted
    aliased: int = 100_000  # of these, values that stand there only by uses of aliases
    depth: int = 64  # of nested YAML, of blocks and branches, of nested expressions
    repeat: int = 100_000  # turns of one `repeat` or `each`
    nodes: int = 100_000  # of the graph
    steps: int = 1_000_000  # layers visited, those left out by `when` too; 8 values count as one
    name: int = 100  # characters of a key or name
    pattern: int = 20_000  # characters of a one-line pattern
    text: int = 1_000  # characters of one expression or other text that is a value
    elements: int = 256  # of a list that an expression adds up or searches
    number: int = 2**63 - 1  # of what an expression computes, and of elements of a feature map


LIMITS = Limits()


def check_limit(count: float, most: int, what: str, at: Source | str) -> None:
    """Raise LimitError, which begins with what there is too much of, beyond a limit."""
    if not count <= most:
        raise LimitError(f"{what} the limit of {most}", at)


class StepCounter(Struct):
    """Counts the work that is spent on a document."""

    limit: int
    spent: int = 0

    def spend(self, steps: int, at: Source) -> None:
        """Count steps of work. Raises LimitError beyond the limit."""
        self.spent += steps
        if self.spent > self.limit:
            raise LimitError(f"more work than the limit of {self.limit} steps", at)
