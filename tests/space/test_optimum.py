"""The best networks of additive models agree with brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from archscope.language import document
from archscope.space.budget import Budget, violation
from archscope.space.chain import Chain, TooWideError
from archscope.space.costs import CostModel
from archscope.space.factor_model import Factor, FactorModel
from archscope.space.optimum import TOLERANCE, optimum
from archscope.space.rows import Encoding
from archscope.space.search_space import space
from archscope.space.segments import NotAChainError
from tests.space.test_cost_tables import NO_CHAIN, STAGES
from tests.space.test_holes import space_of
from tests.space.whole_space import TEXTS, WholeSpace, whole_space


def limits_of(whole: WholeSpace, random: np.random.Generator) -> list[Budget]:
    """Return up to three budgets that some networks are within, or none."""
    metrics = random.choice(["macs", "params", "access"], random.integers(4), replace=False)
    limits = []
    for metric in metrics:
        low, high = np.sort(random.choice([costs[metric] for costs in whole.costs], 2))
        least = None if random.random() < 0.5 else float(low) + random.integers(2) / 2
        limits.append(Budget(f"{metric} limited", str(metric), float(high), least))
    return limits


def model_of(whole: WholeSpace, random: np.random.Generator) -> FactorModel:
    """Return a model of factors of one to three decisions; some have many equal values."""
    columns = range(len(whole.encoding.sizes))
    scopes = [scope for size in (1, 2, 3) for scope in combinations(columns, size)]
    factors = []
    for number in random.choice(len(scopes), random.integers(1, 7)):
        sizes = [whole.encoding.sizes[column] for column in scopes[number]]
        coarse = random.random() < 0.3
        values = random.integers(3, size=sizes) * 1.0 if coarse else random.normal(size=sizes)
        factors.append(Factor(scopes[number], values))
    return FactorModel(float(random.normal()), tuple(factors))


@pytest.fixture(params=TEXTS)
def whole(request: pytest.FixtureRequest) -> WholeSpace:
    return whole_space(request.param)


@pytest.mark.parametrize("seed", range(25))
def test_equals_trying_all_networks(whole: WholeSpace, seed: int) -> None:
    random = np.random.default_rng(seed)
    limits, model = limits_of(whole, random), model_of(whole, random)
    keep = int(random.choice([1, 3, 40]))
    rows = whole.inside(limits)
    values = np.sort(model.values(rows))[::-1][:keep]
    best = optimum(whole.space, model, limits, keep=keep)
    assert best.proved
    assert len({row.tobytes() for row in best.rows}) == len(best.rows) == len(values)
    assert {row.tobytes() for row in best.rows} <= {row.tobytes() for row in rows}
    assert best.values == pytest.approx(values)
    assert best.values == pytest.approx(model.values(best.rows))
    if len(rows) >= keep:
        assert values[-1] <= best.bound <= values[-1] + 1e-6
    else:
        assert best.bound == -np.inf


@pytest.mark.parametrize("widths", [(1,), (1, 2)])
def test_a_bound_holds_where_nothing_is_proved(
    whole: WholeSpace, widths: tuple[int, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("archscope.space.optimum.WIDTHS", widths)
    unproved = 0
    for seed in range(6):
        random = np.random.default_rng(seed)
        limits, model = limits_of(whole, random), model_of(whole, random)
        best = optimum(whole.space, model, limits, keep=3)
        unproved += not best.proved
        chosen = {row.tobytes() for row in best.rows}
        rows = whole.inside(limits)
        rest = rows[[row.tobytes() not in chosen for row in rows]]
        assert (model.values(rest) <= best.bound + TOLERANCE).all()
        assert chosen <= {row.tobytes() for row in rows}
    assert unproved


def test_parts_of_the_pass_make_the_same_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = whole_space("stages")
    random = np.random.default_rng(3)
    model = model_of(whole, random)
    best = optimum(whole.space, model, keep=20)
    monkeypatch.setattr("archscope.space.optimum.CHUNK", 100)
    assert (optimum(whole.space, model, keep=20).values == best.values).all()


def test_a_hundred_thousand_million_networks() -> None:
    found = space(document("mnas"))
    encoding = Encoding(found)
    random = np.random.default_rng(0)
    blocks = [[encoding.column[f"block{i}.{key}"] for key in ("e", "k", "l", "se")]
              for i in range(7)]  # fmt: skip
    scopes = [(column,) for column in range(28)] + [tuple(block) for block in blocks]
    scopes += [(*blocks[i], *blocks[i + 1]) for i in range(6)]
    sizes = [[encoding.sizes[column] for column in scope] for scope in scopes]
    model = FactorModel(
        60.0,
        tuple(
            Factor(scope, random.normal(size=size))
            for scope, size in zip(scopes, sizes, strict=True)
        ),
    )
    limits = [Budget("macs", "macs", 300e6, 255e6), Budget("params", "params", 4e6)]
    best = optimum(found, model, limits, keep=5, chain=Chain(encoding, scopes))
    assert best.proved and len(best.values) == 5
    model_of_costs = CostModel(found)
    for row in best.rows:
        assert violation(limits, model_of_costs(encoding.choices(row))) == 0
    # A hill climb from the best finds nothing that is better.
    for row in best.rows[:1]:
        for column in range(28):
            near = np.repeat(row[None], encoding.sizes[column], 0)
            near[:, column] = range(encoding.sizes[column])
            fit = [
                violation(limits, model_of_costs(encoding.choices(other))) == 0 for other in near
            ]
            assert model.values(near[fit]).max() <= best.values[0] + 1e-9


def test_what_is_no_chain_is_refused() -> None:
    for text in NO_CHAIN.values():
        found = space_of(text)
        with pytest.raises(NotAChainError):
            optimum(found, FactorModel(0.0, ()))


def test_too_many_choices_to_remember_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archscope.space.chain.MOST_MOVES", 10)
    with pytest.raises(TooWideError):
        optimum(space_of(STAGES), FactorModel(0.0, ()))


def test_budgets_that_are_no_sums_are_named() -> None:
    found = space_of(STAGES)
    peak = Budget("peak", "peak", 1.0)
    best = optimum(found, FactorModel(2.0, ()), [peak])
    assert best.relaxed == (peak,)
    assert best.values.tolist() == [2.0]
