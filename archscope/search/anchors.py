"""Anchors, the networks that a study begins with: the user's own, and one of each size."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from archscope.errors import OptionError
from archscope.metrics import MACS
from archscope.sources import load
from archscope.space.budget import Budget
from archscope.space.member import how_unlike, membership
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
    """Return the choices of the network of a spec.

    Raises OptionError, with the difference to the most alike network, if it is not found.
    """
    wanted = load(name)
    found = membership(space, wanted, [candidate.choices for candidate in drawn])
    if found.found and found.choices is not None:
        return found.choices
    text = f"'{name}' was not found among the networks of '{space.name}'"
    if found.choices is None:
        raise OptionError(text)
    raise OptionError(f"{text}: {how_unlike(space.graph(found.choices), wanted, found.tried)}")
