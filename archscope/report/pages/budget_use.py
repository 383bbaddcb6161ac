"""How much of its budgets the networks of a study use."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf, isfinite

from archscope.records.study import Trial
from archscope.report.pages.content import BudgetUse

EXACT = 1e-9
"""The relative error up to which two computed limits are the same."""


def budget_use(trials: Sequence[Trial]) -> tuple[BudgetUse, ...]:
    """Return the share that the proposed networks use of each budget whose limits are known."""
    found = []
    for budget in dict.fromkeys(budget for trial in trials for budget in trial.excess):
        own = [trial for trial in trials if isfinite(trial.excess.get(budget, inf))]
        limits = _limits(own, budget)
        if limits is None:
            continue
        cost, least, most = limits
        inside, beyond = (
            tuple(
                round(trial.costs[cost] / most, 4)
                for trial in own
                if (trial.excess[budget] > 0) == outside
            )
            for outside in (False, True)
        )
        low = None if least is None else round(least / most, 4)
        found.append(BudgetUse(budget, inside, beyond, cost=cost, limit=most, least=low))
    return tuple(found)


def _limits(trials: Sequence[Trial], budget: str) -> tuple[str, float | None, float] | None:
    """Return the cost that a budget limits, its lower limit if it has one, and its upper one.

    A study keeps the excess of a network, max(cost / most - 1, 1 - cost / least). Two networks
    near the upper limit determine it, one near the lower limit that; all others must agree, which
    they only do for the limited cost. None if the networks do not determine the limits.
    """
    for key in dict.fromkeys(key for trial in trials for key in trial.costs):
        pairs = [(trial.costs.get(key, inf), trial.excess[budget]) for trial in trials]
        uppers = [cost / (1 + excess) if excess > -1 else 0.0 for cost, excess in pairs]
        most = max(uppers)
        above = [upper >= most * (1 - EXACT) for upper in uppers]
        near = {cost for (cost, _), is_near in zip(pairs, above, strict=True) if is_near}
        lowers = [
            cost / (1 - excess) if excess < 1 else inf
            for (cost, excess), is_near in zip(pairs, above, strict=True)
            if not is_near
        ]
        agree = not lowers or max(lowers) <= min(lowers) * (1 + EXACT)
        if len(near) > 1 and agree and 0 < most < inf:
            return key, min(lowers, default=None), most
    return None
