"""The decisions of a search space: their alternatives, and when each of them counts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct

from archscope.errors import quoted
from archscope.ir import Source
from archscope.language.value import CHOICE, FLOAT, INT

Choices = Mapping[str, Any]
"""A value for each decision, by path."""


class Condition(Struct, frozen=True):
    """The values of other decisions for which a decision counts."""

    paths: tuple[str, ...]
    allowed: frozenset[tuple[Any, ...]] | None  # None: unknown, as it depends on shapes


class Decision(Struct, frozen=True):
    """A value that a space leaves open."""

    path: str
    kind: str
    at: Source
    alternatives: tuple[Any, ...] = ()  # scalars, or indices into `labels`
    labels: tuple[str, ...] = ()
    low: Any = None
    high: Any = None
    step: Any = None
    log: bool = False
    when: tuple[tuple[Condition, ...], ...] = ((),)
    """It counts if all conditions of at least one of these hold: `((),)` means always."""

    @property
    def size(self) -> int | None:
        """The number of alternatives; None if it is infinite."""
        if self.kind == CHOICE:
            return len(self.alternatives)
        return None if self.step is None else round((self.high - self.low) / self.step) + 1

    @property
    def default(self) -> Any:
        """The first value, which also stands for a decision that does not count."""
        return self.alternatives[0] if self.kind == CHOICE else self.low

    @property
    def certain(self) -> bool:
        """Whether it is known when the decision counts."""
        return all(
            condition.allowed is not None for conditions in self.when for condition in conditions
        )

    @property
    def ordered(self) -> bool:
        """Whether its values are at least three numbers in ascending or descending order."""
        if self.kind != CHOICE:
            return self.size is not None and self.size > 2
        values = list(self.alternatives)
        if len(values) < 3 or self.labels:
            return False
        if any(isinstance(value, bool) or not isinstance(value, int | float) for value in values):
            return False
        return values in (sorted(values), sorted(values, reverse=True))

    def values(self) -> tuple[Any, ...]:
        """Return all alternatives. Raises ValueError if their number is infinite."""
        if self.kind == CHOICE:
            return self.alternatives
        if self.size is None:
            raise ValueError(self.path)
        if self.kind == INT:
            return tuple(range(self.low, self.high + 1, self.step))
        return tuple(self.low + i * self.step for i in range(self.size))

    def takes(self, value: Any) -> bool:
        """Return whether a value is one of the alternatives."""
        if self.kind == CHOICE:
            return bool(self._equal(value))
        if isinstance(value, bool) or not isinstance(value, int | float):
            return False
        if not self.low <= value <= self.high or (self.kind == INT and value != int(value)):
            return False
        if self.step is None:
            return True
        steps = (value - self.low) / self.step
        return bool(abs(steps - round(steps)) < 1e-6)

    def exact(self, value: Any) -> Any:
        """Return an allowed value with the type in the space: 1 and 1.0 make the same network."""
        if self.kind == CHOICE:
            return self._equal(value)[0]
        return float(value) if self.kind == FLOAT else int(value)

    def _equal(self, value: Any) -> list[Any]:
        """Return the alternatives that equal a value; true does not equal 1."""
        flag = isinstance(value, bool)
        return [
            same for same in self.alternatives if same == value and isinstance(same, bool) is flag
        ]

    @property
    def text(self) -> str:
        """The alternatives as text."""
        if self.kind == CHOICE:
            return ", ".join(self.labels or map(word, self.alternatives))
        between = f"{word(self.low)} to {word(self.high)}"
        if self.step not in (None, 1):
            between += f" in steps of {word(self.step)}"
        return f"{between}{', logarithmic' if self.log else ''}"


def word(value: Any) -> str:
    """Return a choice as text."""
    return quoted(value).strip("'") if isinstance(value, str) else quoted(value)
