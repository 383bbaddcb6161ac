"""The records of costs as polynomials in the batch size and the sides of the input."""

from __future__ import annotations

from msgspec import Struct

Point = tuple[int, ...]
"""The sides of the input."""


class Term(Struct, frozen=True):
    """One term: a coefficient, as the text of a fraction, times powers of variables."""

    coefficient: str
    powers: dict[str, int]


class Formula(Struct, frozen=True):
    """A cost as a polynomial."""

    text: str
    terms: tuple[Term, ...]


class Side(Struct, frozen=True):
    """The sides for which formulas hold: multiples of `every` plus `offset`, from `least` on.

    If `every` is 0, the network takes only the one side.
    """

    name: str
    every: int
    offset: int
    least: int


class Symbolic(Struct, frozen=True):
    """Costs for N images, as polynomials in N and the sides of the input."""

    sides: tuple[Side, ...]
    formulas: dict[str, Formula]
    unknown: dict[str, str]  # costs that are not polynomials, with the reason
    tried: tuple[Point, ...]  # sides at which the formulas were compared with exact analyses
