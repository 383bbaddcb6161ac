"""Networks that a study begins with: the user's, and the ends and the middle of the space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from archscope.analysis.canonical import canonical
from archscope.errors import OptionError
from archscope.metrics import MACS
from archscope.sources import load
from archscope.space.budget import Budget
from archscope.space.sampling import Candidate, Sampler
from archscope.space.search_space import Space

DRAWS = 64


def anchors(
    space: Space, budgets: Sequence[Budget], start: Sequence[str], seed: int
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield networks inside the budgets by name: those asked for, then least, median and most macs.

    Raises OptionError if a network that was asked for is no member of the space.
    """
    sampler = Sampler(space, budgets, seed)
    drawn = [sampler.feasible() for _ in range(DRAWS)]
    for name in start:
        yield name, member(space, name, drawn)
    drawn.sort(key=lambda one: one.costs[MACS])
    for name, place in (("smallest", 0), ("median", len(drawn) // 2), ("largest", -1)):
        yield name, drawn[place].choices


def member(space: Space, name: str, drawn: Sequence[Candidate]) -> dict[str, Any]:
    """Return the choices of a network of the space that a spec says, or of which it is a member."""
    graph = load(name)
    wanted = canonical(graph)
    near = [space.defaults, *(one.choices for one in drawn)]
    for choices in near:
        if canonical(space.graph(choices)) == wanted:
            return dict(choices)
    raise OptionError(f"'{name}' is no network of '{space.name}' that could be found")
