"""Decisions as Optuna's parameters."""

from __future__ import annotations

import optuna
import pytest
from optuna.samplers import NSGAIISampler, TPESampler

from archscope.language import document, spaces
from archscope.search.distributions import distributions, suggest
from archscope.search.samplers import optuna_sampler
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
def test_distributions_are_what_is_drawn_from(networks: Space) -> None:
    study = optuna.create_study(sampler=optuna.samplers.RandomSampler(seed=0))
    trial = study.ask()
    suggest(trial, networks)
    assert distributions(networks) == trial.distributions


THEIRS = {
    "tpe": lambda seed: TPESampler(seed=seed, multivariate=True),
    "nsga2": lambda seed: NSGAIISampler(seed=seed, population_size=20),
}


@pytest.mark.parametrize("name", THEIRS)
def test_samplers_draw_what_optunas_own_would(name: str) -> None:
    networks = space(document("line", text=LINE.encode()))
    known = distributions(networks)
    drawn = []
    for ours in (True, False):
        study = optuna.create_study(direction="maximize")
        for seed in range(45):
            study.sampler = optuna_sampler(name, seed, known) if ours else THEIRS[name](seed)
            trial = study.ask()
            choices = suggest(trial, networks)
            drawn.append(choices)
            study.tell(trial, sum(float(v) for v in choices.values() if not isinstance(v, str)))
    assert drawn[:45] == drawn[45:]
