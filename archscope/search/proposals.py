"""Proposing networks: anchors, the sampler's choice, repairs, and uniform draws.

Proposals are generators. Whoever takes them stops at the first that is worth a training, and tells
the learner about the others before the next is made.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Any

import optuna

from archscope.errors import OptionError
from archscope.search.history import History
from archscope.search.learner import Learner
from archscope.search.samplers import EVOLUTION
from archscope.search.screening import Screening
from archscope.search.strategy import Strategy
from archscope.space.sampling import Sampler, mutate, repair
from archscope.space.search_space import Space

SAMPLES = 50
"""Samples for one training; after so many, a feasible network is constructed."""

UNIFORM_DRAWS = 300
"""Uniform draws for one new network, before the space counts as exhausted."""

POPULATION, TOURNAMENT = 25, 5
"""Of regularised evolution (Real et al. 2018, arXiv:1802.01548)."""

Proposal = tuple[optuna.Trial, str]
"""A trial of the learner, and the origin of its network."""


class Proposer:
    """Makes proposals from the history of a study."""

    def __init__(
        self,
        space: Space,
        strategy: Strategy,
        learner: Learner,
        screening: Screening,
        history: History,
    ) -> None:
        self.space, self.strategy = space, strategy
        self.learner, self.screening, self.history = learner, screening, history
        self.anchors_left = list(strategy.anchors)

    def anchors(self) -> Iterator[Proposal]:
        """Propose the networks that a study begins with, each once."""
        while self.anchors_left:
            name, choices = self.anchors_left.pop(0)
            yield self.learner.enqueue(choices), f"anchor: {name}"

    def skip_anchor(self, origin: str) -> None:
        """Leave the next anchor out if an earlier run has proposed it."""
        if self.anchors_left and origin == f"anchor: {self.anchors_left[0][0]}":
            self.anchors_left.pop(0)

    def sampled(self) -> Iterator[Proposal]:
        """Propose what the sampler chooses; after too many samples, constructed networks."""
        random = self._random()
        for _ in range(SAMPLES):
            if self.strategy.sampler == EVOLUTION:
                choices = self._mutation(random)
                if choices is None:
                    break
                yield self.learner.enqueue(choices), self.strategy.sampler
            else:
                seed = self.strategy.seed_of(self.history.proposed)
                yield self.learner.sample(seed), self.strategy.sampler
        yield from self._repaired()
        yield from self.uniform("repair")

    def uniform(self, origin: str) -> Iterator[Proposal]:
        """Propose networks drawn uniformly from all that fit; it ends where none is new.

        Raises OptionError if nothing fits and nothing has been trained.
        """
        seed = self.strategy.seed_of(self.history.proposed)
        sampler = Sampler(self.space, self.strategy.budgets, seed, self.screening.cost_model)
        for _ in range(UNIFORM_DRAWS):
            try:
                choices = sampler.feasible().choices
            except OptionError:
                if self.history.trainings:
                    return
                raise
            if self.screening.is_new(choices):
                yield self.learner.enqueue(choices), origin

    def _repaired(self) -> Iterator[Proposal]:
        """Propose the last infeasible network, moved inside the budgets."""
        trials = reversed(self.history.trials)
        last = next((trial for trial in trials if trial.outcome == "infeasible"), None)
        if last is None:
            return
        found = repair(
            self.space, self.strategy.budgets, last.choices, self.screening.cost_model,
            self._random(),
        )  # fmt: skip
        if found is not None:
            yield self.learner.enqueue(found.choices), "repair"

    def _mutation(self, random: Random) -> dict[str, Any] | None:
        """Return a mutation of the best of a few recent networks, None while there are too few."""
        scored = [trial for trial in self.history.trials if trial.values and trial.trained]
        population = scored[-POPULATION:]
        if len(population) < TOURNAMENT:
            return None
        sample = random.sample(population, TOURNAMENT)
        parent = max(sample, key=lambda trial: trial.values[0])
        return mutate(self.space, parent.choices, random)

    def _random(self) -> Random:
        return self.strategy.random(self.history.proposed)
