"""The named values of a spec, `let`, each computed when something reads it first."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from archscope.language.expression import ExpressionError, ExpressionLimitError, Frame
from archscope.language.limits import LIMITS
from archscope.language.value import Value


class Lets(Frame):
    """The scope of `let`, whose values may read one another in any order."""

    __slots__ = ("pending", "values_of")

    def __init__(self, values: Mapping[str, Value]) -> None:
        super().__init__(None)
        self.values_of = values
        self.pending: list[str] = []  # those that are being computed

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
