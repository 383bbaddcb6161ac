"""The truth about the networks of a benchmark: their scores, and the best within budgets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from msgspec import Struct

from archscope.space.budget import Budget
from archscope.space.search_space import Space


class Known(Struct, frozen=True):
    """What is known about all networks within some budgets."""

    best: float  # their best score
    about: str  # the source of that score
    networks: tuple[tuple[float, float], ...] = ()
    """Macs and score of each network, if they can be listed."""


class Truth(Protocol):
    """The true score of every network that a study may train."""

    @property
    def space(self) -> Space:
        """The space to search."""

    @property
    def about(self) -> tuple[str, ...]:
        """A description for people, in lines."""

    def score(self, choices: dict[str, Any], digest: str) -> float:
        """Return the true score of a network."""

    def inside(self, limits: Sequence[Budget]) -> Known:
        """Return what is known of networks within budgets. Raises OptionError if there are none."""
