"""Decisions as Optuna's parameters."""

from __future__ import annotations

from typing import Any

import optuna
import pytest
from optuna.samplers import BaseSampler, NSGAIISampler, RandomSampler, TPESampler

from archscope.language import document, spaces
from archscope.search.distributions import choices_of, distributions, parameters
from archscope.search.optuna_samplers import fixed_space
from archscope.space.search_space import Space, space

LINE = """
input: [3, 8, 8]
layers:
  - conv: {out: !int {low: 2, high: 8, step: 2}, kernel: !choice [1, 3, 5], padding: same}
  - maxpool: {kernel: 2, ceil: !choice [true, false]}
  - dropout: !float {low: 0.1, high: 0.5}
"""


def all_spaces() -> list[Space]:
    return [space(document("line", text=LINE.encode())), *map(space, map(document, spaces()))]


@pytest.mark.parametrize("networks", all_spaces(), ids=lambda networks: networks.name)
def test_parameters_are_those_of_the_choices(networks: Space) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask(distributions(networks))
    choices = choices_of(trial, networks)
    assert all(choices[each.path] in each.values() for each in networks.decisions if each.size)
    assert parameters(networks, choices) == trial.params


THEIRS = {
    TPESampler: {"multivariate": True},
    NSGAIISampler: {"population_size": 20},
    RandomSampler: {},
}


@pytest.mark.parametrize(("kind", "options"), THEIRS.items())
def test_samplers_draw_what_optunas_own_would(
    kind: type[BaseSampler], options: dict[str, Any]
) -> None:
    networks = space(document("line", text=LINE.encode()))
    drawn = []
    for made in (fixed_space(kind, distributions(networks)), kind):
        study = optuna.create_study(direction="maximize")
        for seed in range(45):
            study.sampler = made(seed=seed, **options)
            trial = study.ask(distributions(networks))
            choices = choices_of(trial, networks)
            drawn.append(choices)
            study.tell(trial, sum(float(v) for v in choices.values() if not isinstance(v, str)))
    assert drawn[:45] == drawn[45:]
