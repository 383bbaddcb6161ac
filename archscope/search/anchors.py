"""Anchors, the networks that a study begins with: the user's own, and one of each size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any

from archscope.analysis.canonical import canonical
from archscope.errors import OptionError, SpecError
from archscope.metrics import MACS
from archscope.sources import load
from archscope.space.budget import Budget
from archscope.space.sampling import Candidate, Sampler
from archscope.space.search_space import Space

DRAWS = 64
"""Feasible networks to draw, of which the smallest, the median and the largest are anchors."""


def anchors(
    space: Space, budgets: Sequence[Budget], start: Sequence[str], seed: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield names and choices of the anchors: `start`, then those of least, median and most macs.

    Raises OptionError if a network in `start` is not found in the space.
    """
    sampler = Sampler(space, budgets, seed)
    drawn = [sampler.feasible() for _ in range(DRAWS)]
    for name in start:
        yield name, member(space, name, drawn)
    drawn.sort(key=lambda candidate: candidate.costs[MACS])
    for name, place in (("smallest", 0), ("median", len(drawn) // 2), ("largest", -1)):
        yield name, drawn[place].choices


def member(space: Space, name: str, drawn: Sequence[Candidate]) -> dict[str, Any]:
    """Return the choices of the network of a spec. Raises OptionError if it is not found."""
    graph = load(name)
    wanted = canonical(graph)
    near = [space.defaults, *(candidate.choices for candidate in drawn)]
    for choices in near:
        with suppress(SpecError):  # the first alternatives need not make a network
            if canonical(space.graph(choices)) == wanted:
                return dict(choices)
    raise OptionError(f"'{name}' was not found among the networks of '{space.name}'")
