"""Every sampler makes studies that keep the promises of a study; a new file is tested here.

Networks of a small space are scored by a fixed function of what they are.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import optuna
import pytest

from archscope.cli.shared.app import archscope
from archscope.contracts.samplers import (
    is_decided_by_the_seed,
    is_free_of_the_order,
    resumes,
    says_what_it_does,
    small,
    strategy_of,
    trains_new_networks,
    trials_of,
    works_without_a_budget,
)
from archscope.search.sampler_context import Sampler, SamplerContext
from archscope.search.samplers import DEFAULT, SAMPLERS, UNIFORM, about, sampler_module
from archscope.space.budget import budget

every_sampler = pytest.mark.parametrize("name", SAMPLERS)


@every_sampler
def test_it_trains_new_networks_within_the_budget(name: str) -> None:
    trains_new_networks(name)


@every_sampler
def test_the_seed_decides(name: str) -> None:
    is_decided_by_the_seed(name)


@every_sampler
def test_the_order_of_the_results_does_not_matter(name: str) -> None:
    is_free_of_the_order(name)


@every_sampler
def test_a_resumed_study_equals_one_that_never_stopped(name: str) -> None:
    resumes(name)


@every_sampler
def test_a_resumed_search_for_several_objectives(name: str) -> None:
    resumes(name, objectives=("accuracy", "macs"))


@every_sampler
def test_it_ends_where_hardly_anything_fits(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("archscope.search.samplers.uniform.DRAWS", 30)
    trials = trials_of(small(), strategy_of(name, budgets=(budget("macs<=4.2K"),)), 50)
    trained = [trial for trial in trials if trial.trained]
    assert 0 < len(trained) < 50  # the space holds no more of them


@every_sampler
def test_it_works_without_a_budget_and_without_a_baseline(name: str) -> None:
    works_without_a_budget(name)


@every_sampler
def test_the_help_says_what_it_does(name: str) -> None:
    says_what_it_does(name)
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
        (unseeded, is_decided_by_the_seed),
        (unseeded, is_free_of_the_order),
        (remembers, resumes),
        (ignores_the_seed, is_decided_by_the_seed),
        (proposes_nothing, trains_new_networks),
    ],
)
def test_a_broken_sampler_is_found(
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[SamplerContext], Sampler],
    check: Callable[..., None],
) -> None:
    module = ModuleType("tests.search.broken_sampler")
    monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setitem(SAMPLERS, "broken", module.__name__)
    module.make = sampler_module("random").make  # type: ignore[attr-defined]
    if check is not is_decided_by_the_seed:
        check("broken", baseline=0.0)
    module.make = make  # type: ignore[attr-defined]
    with pytest.raises(AssertionError):
        check("broken", baseline=0.0)
