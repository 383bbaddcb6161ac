"""The default sampler beats chance in a space whose decisions act on each other.

A guard: small tables hide what goes wrong where there are many decisions.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from archscope.search.anchors import anchors
from archscope.search.benchmark import Answers
from archscope.search.samplers import DEFAULT, UNIFORM
from archscope.search.strategy import Strategy
from archscope.search.study import Study
from archscope.space.budget import Budget
from archscope.space.rows import Encoding
from archscope.space.search_space import Space
from tests.space.test_holes import space_of

SPACE = """
blocks:
  unit:
    with:
      out:
      kernel: !choice [1, 3, 5]
      width: !choice [1, 2, 3, 4]
      twice: !choice [false, true]
    layers:
      - conv: {out: =8*width, kernel: =kernel, padding: same}
      - conv: {out: =out, kernel: 1}
      - conv: {out: =out, kernel: =kernel, padding: same}
        when: =twice
layers:
  - unit: {out: 8}
    repeat: 6
"""
TRIALS, SEEDS, NOISE = 32, 3, 0.3
LIMIT = Budget("limit", "macs", 24e6, 0.85 * 24e6)


class Interactions:
    """Scores that are a sum over decisions and over pairs of them, near ones and far ones."""

    about = ("a sum over decisions and pairs of decisions",)

    def __init__(self, space: Space, seed: int) -> None:
        random = np.random.default_rng(seed)
        self.space, self.encoding = space, Encoding(space)
        sizes = self.encoding.sizes
        pairs = [(a, b) for b in range(len(sizes)) for a in range(b) if random.random() < 0.25]
        self.single = [random.normal(size=size) for size in sizes]
        self.double = [(a, b, random.normal(size=(sizes[a], sizes[b])) / 3) for a, b in pairs]

    def score(self, choices: dict[str, Any], digest: str) -> float:
        """Return the true score of a network."""
        row = self.encoding.rows([choices])[0]
        alone = sum(table[place] for table, place in zip(self.single, row, strict=True))
        return float(alone + sum(table[row[a], row[b]] for a, b, table in self.double))


def best_of(truth: Interactions, sampler: str, seed: int) -> float:
    """Return the best true score that a study finds."""
    first = tuple(anchors(truth.space, [LIMIT], (), seed))
    strategy = Strategy(budgets=(LIMIT,), sampler=sampler, seed=seed, anchors=first)
    answers = Answers(truth, NOISE, seed)  # type: ignore[arg-type]
    Study(truth.space, strategy, answers, trained_as=answers.network).run(TRIALS)
    assert len(answers.true) == TRIALS
    return max(answers.true.values())


def test_it_beats_chance_where_decisions_interact() -> None:
    space = space_of(SPACE)
    assert len(space.decisions) == 18
    ahead = []
    for seed in range(SEEDS):
        truth = Interactions(space, seed)
        ahead.append(best_of(truth, DEFAULT, seed) - best_of(truth, UNIFORM, seed))
    # A hundred times as many uniform draws are about 4 ahead of as many.
    assert np.mean(ahead) > 2, ahead
    assert min(ahead) > 0, ahead
