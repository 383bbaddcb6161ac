"""What is true of the networks of a benchmark: their scores, and the best inside budgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from archscope.space.budget import Budget
from archscope.space.search_space import Space


class Known(Struct, frozen=True):
    """What is known of all networks inside some budgets."""

    best: float  # the best score of them
    about: str  # how that is known
    networks: tuple[tuple[float, float], ...] = ()
    """Macs and score of each of them, if these can be listed."""


class Truth(Protocol):
    """Knows the true score of every network that a study may train."""

    @property
    def space(self) -> Space:
        """The space that is searched."""

    @property
    def about(self) -> tuple[str, ...]:
        """What it is, in lines for people."""

    def score(self, choices: dict[str, Any], digest: str) -> float:
        """Return the true score of a network."""

    def inside(self, limits: Sequence[Budget]) -> Known:
        """Return what is known of the networks inside budgets. Raises OptionError for none."""
