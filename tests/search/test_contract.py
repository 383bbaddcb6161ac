"""Every sampler makes studies that keep the promises of a study; a new file is tested here.

Networks of a small space are scored by a fixed function of what they are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import ModuleType

import optuna
import pytest
from msgspec import structs

from archscope.cli.shared.app import archscope
from archscope.search import samplers
from archscope.search.sampler_context import Sampler, SamplerContext
from archscope.search.samplers import DEFAULT, SAMPLERS, UNIFORM, about
from archscope.search.strategy import Strategy
from archscope.search.study import Study
from archscope.space.budget import budget
from archscope.space.search_space import Space
from tests.search.test_study import STRATEGY, FakeExecutor, run, small  # noqa: F401  the fixture

every_sampler = pytest.mark.parametrize("name", SAMPLERS)


def strategy_of(name: str, **changes: object) -> Strategy:
    return structs.replace(STRATEGY, sampler=name, **changes)


def check_trainings(networks: Space, name: str) -> None:
    """Check that the study ends, and that what it trains is new and inside the budget."""
    _, trials = run(networks, strategy_of(name))
    trained = [trial for trial in trials if trial.trained]
    assert len(trained) == 16
    assert all(trial.costs["macs"] <= 60_000 and trial.values for trial in trained)
    assert len({trial.digest for trial in trained}) == 16
    assert [trial.number for trial in trials] == list(range(len(trials)))
    origins = {trial.origin for trial in trials}
    assert name in origins and origins <= {name, "repair", "control"}
    for trial in trials:
        if trial.outcome == "known":
            original = trials[trial.same_as or 0]
            assert original.digest == trial.digest and original.values == trial.values


def check_seeds(networks: Space, name: str) -> None:
    _, trials = run(networks, strategy_of(name), trainings=12)
    assert run(networks, strategy_of(name), trainings=12)[1] == trials
    _, others = run(networks, strategy_of(name, seed=4), trainings=12)
    assert [trial.choices for trial in others] != [trial.choices for trial in trials]


def check_order(networks: Space, name: str) -> None:
    """Check that the order in which workers end does not matter."""
    _, trials = run(networks, strategy_of(name), trainings=12)
    for order in range(2):
        assert run(networks, strategy_of(name), trainings=12, order=order)[1] == trials


def check_resumed(networks: Space, name: str, **changes: object) -> None:
    """Check that 1 and 11 trainings, or 6 and 6, are the same as 12."""
    strategy = strategy_of(name, **changes)
    _, whole = run(networks, strategy, trainings=12)
    for first in (1, 6):
        _, begun = run(networks, strategy, trainings=first)
        study = Study(networks, strategy, FakeExecutor())
        study.replay(begun)
        study.run(12)
        assert study.trials == whole


@every_sampler
def test_it_trains_new_networks_inside_the_budget(small: Space, name: str) -> None:  # noqa: F811
    check_trainings(small, name)


@every_sampler
def test_the_seed_decides(small: Space, name: str) -> None:  # noqa: F811
    check_seeds(small, name)


@every_sampler
def test_the_order_of_the_results_does_not_matter(small: Space, name: str) -> None:  # noqa: F811
    check_order(small, name)


@every_sampler
def test_a_resumed_study_equals_one_that_never_stopped(small: Space, name: str) -> None:  # noqa: F811
    check_resumed(small, name)


@every_sampler
def test_a_resumed_search_for_several_objectives(small: Space, name: str) -> None:  # noqa: F811
    check_resumed(small, name, objectives=("accuracy", "macs"))


@every_sampler
def test_it_ends_where_hardly_anything_fits(
    small: Space,  # noqa: F811
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("archscope.search.samplers.uniform.DRAWS", 30)
    _, trials = run(small, strategy_of(name, budgets=(budget("macs<=4.2K"),)), trainings=50)
    trained = [trial for trial in trials if trial.trained]
    assert 0 < len(trained) < 50  # the space holds no more of them


@every_sampler
def test_it_works_without_a_budget_and_without_a_baseline(small: Space, name: str) -> None:  # noqa: F811
    _, trials = run(small, strategy_of(name, budgets=(), baseline=0.0), trainings=10)
    assert sum(trial.trained for trial in trials) == 10
    assert "control" not in {trial.origin for trial in trials}


@every_sampler
def test_the_help_says_what_it_does(name: str) -> None:
    assert about(name) and not about(name).endswith(".")
    (command,) = [archscope.get_command(None, "search")]  # type: ignore[arg-type]
    (option,) = [param for param in command.params if param.name == "sampler"]
    assert f"{name}: {about(name)}" in option.help


def test_the_default_is_first_and_the_baseline_last() -> None:
    assert (next(iter(SAMPLERS)), list(SAMPLERS)[-1]) == (DEFAULT, UNIFORM)


def unseeded(context: SamplerContext) -> Sampler:
    def propose() -> Iterator[optuna.Trial]:
        while True:
            yield context.learner.sample(optuna.samplers.RandomSampler())

    return propose


def remembers(context: SamplerContext) -> Sampler:
    """Return a sampler with a state of its own, which a resumed study does not have."""
    sampler = optuna.samplers.RandomSampler(seed=context.strategy.seed)

    def propose() -> Iterator[optuna.Trial]:
        while True:
            yield context.learner.sample(sampler)

    return propose


def ignores_the_seed(context: SamplerContext) -> Sampler:
    def propose() -> Iterator[optuna.Trial]:
        while True:
            seed = context.history.proposed
            yield context.learner.sample(optuna.samplers.RandomSampler(seed=seed))

    return propose


def proposes_nothing(context: SamplerContext) -> Sampler:
    return lambda: iter(())


@pytest.mark.parametrize(
    ("make", "check"),
    [
        (unseeded, check_seeds),
        (unseeded, check_order),
        (remembers, check_resumed),
        (ignores_the_seed, check_seeds),
        (proposes_nothing, check_trainings),
    ],
)
def test_a_broken_sampler_is_found(
    small: Space,  # noqa: F811
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[SamplerContext], Sampler],
    check: Callable[[Space, str], None],
) -> None:
    module, load_module = ModuleType("broken"), samplers.sampler_module
    for place in ("archscope.search.sampler_context", "archscope.search.samplers"):
        monkeypatch.setattr(
            f"{place}.sampler_module",
            lambda name: module if name == "broken" else load_module(name),
        )
    monkeypatch.setattr(samplers, "SAMPLERS", (*SAMPLERS, "broken"))
    module.make = load_module("random").make  # type: ignore[attr-defined]
    if check is not check_seeds:
        check(small, "broken")
    module.make = make  # type: ignore[attr-defined]
    strategy = strategy_of("broken", baseline=0.0)
    monkeypatch.setattr("tests.search.test_contract.STRATEGY", strategy)
    with pytest.raises(AssertionError):
        check(small, "broken")
