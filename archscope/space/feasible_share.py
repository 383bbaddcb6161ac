"""Compute the share of the networks of a space within budgets: counted, bounded or sampled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from msgspec import Struct

from archscope.space.budget import Budget, violation
from archscope.space.costs import CostModel, Costs
from archscope.space.counting import Plan
from archscope.space.sampling import Candidate
from archscope.space.search_space import Space
from archscope.stats import wilson_interval

if TYPE_CHECKING:
    from archscope.space.budget_counting import Count

DRAWS, GRAPHS = 4000, 300
"""Networks to draw within a budget; the smaller number applies if each needs a graph."""


class FeasibleShare(Struct, frozen=True):
    """The share of networks within the budgets."""

    share: float
    low: float  # lower end of a 95 % confidence interval, Wilson 1927
    high: float
    inside: int  # evaluated networks inside
    seen: int
    invalid: int  # evaluated choices that make no network
    exact: bool  # over all networks, not a sample
    within: str = ""  # the budget that the sample was drawn from, if any


class Counted(Struct, frozen=True):
    """The result of counting networks within budgets."""

    share: FeasibleShare
    counts: tuple[Count, ...]  # for each budget that is a sum
    example: Candidate | None  # a network within all budgets, if one was drawn


def evaluated_share(
    costs: Sequence[Costs | None], limits: Sequence[Budget], exact: bool
) -> FeasibleShare:
    """Return the share of networks within budgets by their costs; costs of None are no network.

    `exact` states that these are all networks.
    """
    inside = sum(violation(limits, cost) == 0 for cost in costs)
    invalid = sum(cost is None for cost in costs)
    seen = len(costs)
    low, high = (inside / seen,) * 2 if exact else wilson_interval(inside, seen)
    return FeasibleShare(inside / seen, low, high, inside, seen, invalid, exact)


def counted_share(
    space: Space,
    plan: Plan,
    limits: Sequence[Budget],
    cost_model: CostModel,
    seed: int = 0,
    draws: int | None = None,
) -> Counted | None:
    """Return the share of a space within budgets by counting, or None if that is impossible.

    It is exact for a single budget whose networks are counted exactly. Otherwise the networks of
    the budget that the fewest fit are counted, and a sample of them shows how many are inside all
    budgets.
    """
    sums = [limit for limit in limits if limit.is_sum]
    if not sums or plan.endless or not space.certain or cost_model.tables is None:
        return None
    # numpy is slow to import
    import numpy as np

    from archscope.space.budget_counting import counted
    from archscope.space.chain import Chain, TooWideError
    from archscope.space.feasible import FeasibleSet
    from archscope.space.segments import NotAChainError

    feasible = FeasibleSet(space, limits, cost_model)
    try:
        chain = Chain(feasible.encoding, extras=cost_model.summed)
        found = [counted(chain, limit, plan.count, cost_model.dtype) for limit in sums]
    except (NotAChainError, TooWideError):
        return None
    count, networks = min(found, key=lambda counted: counted[0].most)
    binding = sum(counted[0].least < plan.count for counted in found)
    exact = len(sums) == len(limits) and binding <= 1 and count.least == count.most
    number = 1 if exact else draws or (GRAPHS if cost_model.graphs else DRAWS)
    rows = networks.draw(number, np.random.default_rng(seed))
    rows = rows[feasible.inside(rows)] if len(rows) else rows
    if len(sums) < len(limits):
        rows = np.array([row for row in rows if feasible.fits(row)])
    example = None
    if len(rows):
        choices = feasible.encoding.choices(rows[0])
        costs = cost_model.masked(choices)
        example = None if costs is None else Candidate(choices, costs)
    return Counted(
        _share(count, plan.count, None if exact else (len(rows), number)),
        tuple(counted[0] for counted in found),
        example,
    )


def _share(count: Count, networks: int, drawn: tuple[int, int] | None) -> FeasibleShare:
    """Return the share of a count, or of the part of it that a sample shows to be inside."""
    whole = count.most / networks
    if drawn is None or not count.most:
        return FeasibleShare(whole, whole, whole, count.most, networks, 0, exact=True)
    inside, seen = drawn
    low, high = wilson_interval(inside, seen)
    share = whole * inside / seen
    return FeasibleShare(
        share, whole * low, whole * high, inside, seen, 0, False, count.budget.text
    )
