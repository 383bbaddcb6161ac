"""Networks inside a budget are counted exactly."""

from __future__ import annotations

import pytest

from archscope.errors import SpecError
from archscope.language import document, spaces
from archscope.space.budget import Budget, budget, violation
from archscope.space.budget_counting import count_inside
from archscope.space.costs import CostModel
from archscope.space.counting import every, plan
from archscope.space.explore import explore
from archscope.space.search_space import Space, space
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


def by_hand(found: Space, limit: Budget) -> int:
    model = CostModel(found)
    networks = ({**found.defaults, **choices} for choices in every(plan(found)))
    return sum(violation([limit], model.masked(choices)) == 0 for choices in networks)


@pytest.mark.parametrize("text", [STAGES, BLOCKS, UNUSED], ids=["stages", "blocks", "unused"])
@pytest.mark.parametrize("metric", ["macs", "params", "access", "weights"])
def test_equals_counting_one_by_one(text: str, metric: str) -> None:
    found = space_of(text)
    model = CostModel(found)
    costs = []
    for choices in every(plan(found)):
        try:
            cost = model.masked({**found.defaults, **choices})
        except SpecError:
            continue
        if cost is not None:
            costs.append(cost[metric])
    costs.sort()
    middle, high = costs[len(costs) // 2], costs[-len(costs) // 4]
    for least, most in ((None, middle), (middle, high), (high, None), (None, costs[0] - 1)):
        limit = Budget("limit", metric, most, least)
        assert count_inside(plan(found), found, limit) == by_hand(found, limit)


def test_a_chain_that_is_cut_counts_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    found, limit = space(document("cifar_macro")), budget("40MMACs")
    whole = count_inside(plan(found), found, limit)
    assert whole == by_hand(found, limit) == 932
    monkeypatch.setattr("archscope.space.budget_counting.MOST_COSTS", 700)
    assert count_inside(plan(found), found, limit) == whole
    monkeypatch.setattr("archscope.space.budget_counting.MOST_COSTS", 20)
    assert count_inside(plan(found), found, limit) is None


def test_a_hundred_thousand_million_networks() -> None:
    assert "mnas" in spaces()
    found = space(document("mnas"))
    limit = Budget("255M..300M", "macs", 300e6, 255e6)
    assert plan(found).count == 104_485_552_128
    assert count_inside(plan(found), found, limit) == 13_265_625_539
    share = explore(found, [limit], samples=10).share
    assert share is not None
    assert share.exact and (share.inside, share.seen) == (13_265_625_539, 104_485_552_128)
