"""Limits on specs; the error for exceeding a limit names it."""

from __future__ import annotations

from msgspec import Struct

from archscope.axes import MOST_POSITIONS
from archscope.errors import LimitError
from archscope.ir import Source


class Limits(Struct, frozen=True):
    """Limits for reading and expanding specs, so that a hostile file costs little."""

    file_bytes: int = 8 << 20  # of one file: enough for as many layers as there may be nodes
    files: int = 64  # that one spec may include by `use` and `extends`
    items: int = 1_000_000  # values in one file, counting every use of an alias
    aliased: int = 100_000  # values among them that come from aliases
    depth: int = 64  # of nested YAML, of blocks and branches, of nested expressions
    repeat: int = 100_000  # iterations of one `repeat` or `each`
    nodes: int = 100_000  # of the graph
    steps: int = 1_000_000  # visited layers, including skipped ones; 8 values count as one
    name: int = 100  # characters of a key or name
    pattern: int = 20_000  # characters of a one-line pattern
    text: int = 1_000  # characters of an expression or another text value
    elements: int = 256  # of a list that an expression sums or searches
    positions: int = MOST_POSITIONS  # along an axis of a feature map
    number: int = 2**63 - 1  # results of expressions, and elements of a feature map


LIMITS = Limits()


def check_limit(count: float, most: int, what: str, at: Source | str) -> None:
    """Raise LimitError if a count exceeds a limit; `what` begins the message."""
    if not count <= most:
        raise LimitError(f"{what} the limit of {most}", at)


class StepCounter(Struct):
    """Counts the work spent on a document."""

    limit: int
    spent: int = 0

    def spend(self, steps: int, at: Source) -> None:
        """Add steps of work. Raises LimitError if they exceed the limit."""
        self.spent += steps
        if self.spent > self.limit:
            raise LimitError(f"more work than the limit of {self.limit} steps", at)
