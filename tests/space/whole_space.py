"""Small spaces of which every network is looked at, as oracles."""

from __future__ import annotations

from functools import cache

from archscope.space.budget import Budget, violation
from archscope.space.costs import CostModel
from archscope.space.counting import every, plan
from archscope.space.rows import Encoding, Rows
from tests.space.test_cost_tables import STAGES
from tests.space.test_holes import BLOCKS, space_of

UNUSED = """
let: {unused: !choice [1, 2, 3], width: !choice [4, 8]}
layers:
  - conv: {out: =width, kernel: !choice [1, 3]}
  - conv: {out: =width, kernel: 3}
    when: !choice [true, false]
  - conv: {out: 8, groups: !choice [1, 3, 4]}
"""
TEXTS = {"stages": STAGES, "blocks": BLOCKS, "unused": UNUSED}


class WholeSpace:
    """All networks of a small space with their costs."""

    def __init__(self, text: str) -> None:
        self.space = space_of(text)
        self.encoding, model = Encoding(self.space), CostModel(self.space)
        self.networks = plan(self.space).count
        listed = [{**self.space.defaults, **choices} for choices in every(plan(self.space))]
        costs = [model.masked(choices) for choices in listed]
        self.costs = [cost for cost in costs if cost is not None]
        self.rows = self.encoding.rows(
            [choices for choices, cost in zip(listed, costs, strict=True) if cost is not None]
        )

    def inside(self, limits: list[Budget]) -> Rows:
        """Return the rows of the networks within budgets."""
        return self.rows[[violation(limits, costs) == 0 for costs in self.costs]]

    def at(self, metric: str, share: float) -> float:
        """Return a cost below which there is this share of the networks."""
        costs = sorted(costs[metric] for costs in self.costs)
        return costs[min(int(share * len(costs)), len(costs) - 1)]


@cache
def whole_space(name: str) -> WholeSpace:
    """Return all of the space of one of `TEXTS`."""
    return WholeSpace(TEXTS[name])
