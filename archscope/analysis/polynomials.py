"""Costs as polynomials of the batch and of the sides of the input: the records."""

from __future__ import annotations

from msgspec import Struct

Point = tuple[int, ...]
"""The sides of the input."""


class Term(Struct, frozen=True):
    """One summand: a coefficient, as a fraction in words, times powers of variables."""

    coefficient: str
    powers: dict[str, int]


class Formula(Struct, frozen=True):
    """A cost as a polynomial."""

    text: str
    terms: tuple[Term, ...]


class Side(Struct, frozen=True):
    """The sides for which formulas hold: `offset` more than multiples of `every`, from `least` on.

    Where `every` is 0, that is the one side that the network takes.
    """

    name: str
    every: int
    offset: int
    least: int


class Symbolic(Struct, frozen=True):
    """Costs for N images, as polynomials of N and of the sides of the input."""

    sides: tuple[Side, ...]
    formulas: dict[str, Formula]
    unknown: dict[str, str]  # the costs that are no polynomial there, with the reason
    tried: tuple[Point, ...]  # sides of the exact analyses that all formulas agree with
