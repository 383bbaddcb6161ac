"""Predicted milliseconds and flash of candidates, from tables, are those of their graphs."""

from __future__ import annotations

from pathlib import Path
from random import Random

import numpy as np
import pytest

from archscope.language import document
from archscope.latency.kernel_kinds import FUSIONS
from archscope.latency.predict import predict
from archscope.latency.profile import Correction, keep
from archscope.space.additive_costs import AdditiveCost, FlashCost, LatencyCost
from archscope.space.budget import Budget, budget, cost_model, violation
from archscope.space.budget_counting import counted
from archscope.space.chain import Chain
from archscope.space.costs import CostModel, costs_of
from archscope.space.counting import every, plan
from archscope.space.explore import explore
from archscope.space.factor_model import Factor, FactorModel
from archscope.space.feasible import FeasibleSet
from archscope.space.optimum import optimum
from archscope.space.sampling import random_choices
from archscope.space.search_space import Space, space
from tests.latency.stubs import stub
from tests.space.test_holes import space_of
from tests.space.whole_space import TEXTS, whole_space

ACROSS = """
let: {bias: !choice [false, true]}
blocks:
  act:
    with: {kind: !choice [relu, silu, hardswish, gelu, tanh, none]}
    layers:
      - relu: {}
        when: =kind == 'relu'
      - silu: {}
        when: =kind == 'silu'
      - hardswish: {}
        when: =kind == 'hardswish'
      - gelu: {}
        when: =kind == 'gelu'
      - tanh: {}
        when: =kind == 'tanh'
  norm:
    with: {there: !choice [true, false]}
    layers:
      - batchnorm: {}
        when: =there
  residual:
    with: {}
    layers:
      - add: [identity, [{conv: {out: =in.channels, padding: same}}, batchnorm]]
layers:
  - conv: {out: !choice [8, 16], bias: =bias}
  - dropout: 0.1
    when: !choice [false, true]
  - norm: {}
  - act: {}
  - act: {}
  - residual: {}
    when: !choice [false, true]
  - act: {}
  - flatten
  - norm: {}
  - act: {}
  - linear: {out: 8, bias: =bias}
  - norm: {}
  - act: {}
"""
"""Norms, activations and sums are in other segments than the layers they run with."""


def all_costs() -> list[AdditiveCost]:
    return [FlashCost(), *(LatencyCost(f"latency@{fusion}", stub(fusion)) for fusion in FUSIONS)]


def spaces() -> list[Space]:
    shipped = [space(document(name)) for name in ("mnas", "mobile", "cifar_macro", "resnet")]
    return [*shipped, space_of(TEXTS["stages"]), space_of(TEXTS["blocks"]), space_of(ACROSS)]


@pytest.mark.parametrize("found", spaces(), ids=lambda found: str(found.name))
def test_tables_equal_the_graph(found: Space) -> None:
    model = CostModel(found, extras=all_costs())
    assert model.tables is not None and not model.graphs
    random = Random(5)
    number = 60 if len(found.decisions) < 20 else 8
    candidates = [found.masked(random_choices(found, random)) for _ in range(number)]
    compared = 0
    for choices in candidates:
        costs = model.masked(choices)
        if costs is None:
            continue
        graph = found.graph(choices)
        assert costs["flash"] == costs_of(graph)["flash"]
        for fusion in FUSIONS:
            whole = predict(stub(fusion), graph).milliseconds
            assert costs[f"latency@{fusion}"] == pytest.approx(whole, rel=1e-6), choices
        compared += 1
    assert compared > number / 4
    feasible = FeasibleSet(found, (), model)
    rows = feasible.encoding.rows(candidates)
    sums = feasible.sums(rows[feasible.inside(rows)])
    assert sums is not None
    networks = [costs for choices in candidates if (costs := model.masked(choices)) is not None]
    wanted = [[costs[extra.name] * extra.per for extra in model.extras] for costs in networks]
    np.testing.assert_allclose(sums[:, -len(model.extras) :], wanted, rtol=1e-12)


@pytest.fixture
def board(tmp_path: Path) -> str:
    return str(keep(stub(), tmp_path / "board.json"))


def limits_at(name: str, cost: str, metric: str, device: str) -> list[Budget]:
    """Return budgets of which some hold for a part of a space."""
    whole = whole_space(name)
    model = cost_model(whole.space, [Budget("", metric, 1, device=device)])
    values = sorted(
        found[cost]
        for row in whole.rows
        if (found := model.masked(whole.encoding.choices(row))) is not None
    )
    low, middle, high = values[0], values[len(values) // 2], values[-1]
    ends = ((middle, None), (high, middle), (None, middle), (low / 2, None))
    return [Budget("limit", metric, most, least, device) for most, least in ends]


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize("metric", ["latency", "flash"])
def test_networks_inside_are_counted_and_drawn(name: str, metric: str, board: str) -> None:
    device = board if metric == "latency" else ""
    whole = whole_space(name)
    cost = f"latency@{board}" if device else "flash"
    for limit in limits_at(name, cost, metric, device):
        assert limit.cost == cost and limit.is_sum and not limit.measured
        model = cost_model(whole.space, [limit])
        listed = [{**whole.space.defaults, **choices} for choices in every(plan(whole.space))]
        inside = sum(violation([limit], model.masked(choices)) == 0 for choices in listed)
        chain = Chain(whole.encoding, extras=model.summed)
        count, networks = counted(chain, limit, whole.networks)
        assert count.least == count.most == inside
        drawn = networks.draw(20, np.random.default_rng(0))
        assert len(drawn) == (20 if inside else 0)
        assert FeasibleSet(whole.space, [limit], model).inside(drawn).all()


def test_the_best_inside_several_budgets_is_proved(board: str) -> None:
    whole = whole_space("stages")
    encoding = whole.encoding
    random = np.random.default_rng(3)
    factors = tuple(
        Factor((column,), random.normal(size=size)) for column, size in enumerate(encoding.sizes)
    )
    model = FactorModel(0.0, factors)
    (latency, *_) = limits_at("stages", f"latency@{board}", "latency", board)
    limits = [latency, Budget("macs", "macs", whole.at("macs", 0.6)),
              Budget("flash", "flash", 12_000)]  # fmt: skip
    costs = cost_model(whole.space, limits)
    inside = [row for row in whole.rows
              if violation(limits, costs.masked(encoding.choices(row))) == 0]  # fmt: skip
    assert inside
    found = optimum(whole.space, model, limits)
    assert found.proved and not found.relaxed
    assert found.values[0] == pytest.approx(model.values(np.array(inside)).max())


def test_a_correction_of_the_whole_network_takes_a_graph(tmp_path: Path) -> None:
    correction = Correction(("kernels",), (1.0,), (2.0,), (0.3,), (0.0,), (9.0,))
    path = keep(stub(correction=correction), tmp_path / "corrected.json")
    found = space(document("cifar_macro"))
    limit = budget(f"2ms@{path}")
    assert not limit.is_sum
    model = cost_model(found, [limit])
    costs = model(found.defaults)
    assert costs is not None
    graph = found.graph(found.defaults)
    assert costs[limit.cost] == predict(stub(correction=correction), graph).milliseconds
    assert optimum(found, FactorModel(0.0, ()), [limit]).relaxed == (limit,)


def test_networks_that_are_no_chain_take_a_graph(board: str) -> None:
    found = space_of("""
layers:
  - conv: !choice [4, 8]
  - add: [identity, {conv: {out: =x.channels, kernel: !choice [1, 3], padding: same}}]
""")
    model = cost_model(found, [budget(f"9ms@{board}"), budget("9MiB flash")])
    costs = model(found.defaults)
    assert model.tables is None and costs is not None
    graph = found.graph(found.defaults)
    assert costs["flash"] == costs_of(graph)["flash"]
    assert costs[f"latency@{board}"] == predict(stub(), graph).milliseconds


def test_a_space_within_milliseconds(board: str) -> None:
    found = space(document("cifar_macro"))
    model = cost_model(found, [budget(f"1ms@{board}")])
    random = Random(1)
    drawn = [model(random_choices(found, random)) for _ in range(9)]
    middle = sorted(costs[f"latency@{board}"] for costs in drawn if costs is not None)[4]
    limits = (budget(f"{0.9 * middle:.3f}ms..{middle:.3f}ms@{board}"), budget("2MiB flash"))
    said = explore(found, limits)
    model = cost_model(found, limits)
    listed = [{**found.defaults, **choices} for choices in every(plan(found))]
    inside = sum(violation(limits, model.masked(choices)) == 0 for choices in listed)
    assert said.share is not None and said.share.exact
    assert said.share.inside == inside > 0
    assert {span.metric for span in said.ranges} >= {"flash", f"latency@{board}"}


def test_a_network_exactly_at_the_limit_is_inside(board: str) -> None:
    whole = whole_space("stages")
    model = cost_model(whole.space, [Budget("", "latency", 1, device=board)])
    chain = Chain(whole.encoding, extras=model.summed)
    for picoseconds in range(1_017_930_400, 1_017_930_600):
        value = picoseconds / LatencyCost.per
        limit = Budget("", "latency", value, value, board)
        assert chain.ends(limit) == (picoseconds, picoseconds)
