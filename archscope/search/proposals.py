"""Propose networks: anchors, the sampler's choices, repairs and uniform draws.

Proposals are generators. The caller stops at the first that is worth training, and tells the
learner about each of the others before it takes the next.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import optuna

from archscope.search.sampler_context import SamplerContext, make_sampler
from archscope.search.samplers import UNIFORM
from archscope.space.sampling import repair

SAMPLES = 50
"""Samples per training; after these, a feasible network is constructed."""

REPAIR = "repair"
"""The origin of networks that were moved within the budgets."""

Proposal = tuple[optuna.Trial, str]
"""A trial of the learner, and the origin of its network."""


class Proposer:
    """Makes proposals for a study."""

    def __init__(self, context: SamplerContext) -> None:
        """Take the context of the study's sampler."""
        self.context = context
        self.sampler = make_sampler(context.strategy.sampler, context)
        self.uniform_sampler = make_sampler(UNIFORM, context)
        self.anchors_left = list(context.strategy.anchors)
        self.replayed: list[str] = []  # origins of proposals since the last training, before a stop

    def anchors(self) -> Iterator[Proposal]:
        """Propose the networks that a study begins with, each once."""
        while self.anchors_left:
            name, choices = self.anchors_left.pop(0)
            yield self.context.learner.enqueue(choices), f"anchor: {name}"

    def skip_anchor(self, origin: str) -> None:
        """Skip the next anchor if an earlier run has proposed it."""
        if self.anchors_left and origin == f"anchor: {self.anchors_left[0][0]}":
            self.anchors_left.pop(0)

    def remember(self, origin: str) -> None:
        """Replay a proposal that was not trained, so that a resumed study continues after it."""
        self.replayed.append(origin)

    def forget(self) -> None:
        """Replay that a network was trained, after which proposals begin anew."""
        self.replayed.clear()

    def sampled(self) -> Iterator[Proposal]:
        """Propose the sampler's choices and, after too many samples, constructed networks."""
        name = self.context.strategy.sampler
        replayed, self.replayed = self.replayed, []
        for draw in islice(self.sampler(), max(0, SAMPLES - replayed.count(name))):
            yield draw, name
        if REPAIR not in replayed:
            yield from self._repaired()
        yield from self.uniform(REPAIR)

    def uniform(self, origin: str) -> Iterator[Proposal]:
        """Propose networks drawn uniformly from all that fit, until none is new.

        Raises OptionError if nothing fits and nothing has been trained.
        """
        for draw in self.uniform_sampler():
            yield draw, origin

    def _repaired(self) -> Iterator[Proposal]:
        """Propose the last infeasible network, moved within the budgets."""
        context = self.context
        trials = reversed(context.history.trials)
        last = next((trial for trial in trials if trial.outcome == "infeasible"), None)
        if last is None:
            return
        found = repair(
            context.space, context.strategy.budgets, last.choices, context.cost_model,
            context.random(),
        )  # fmt: skip
        if found is not None:
            yield context.learner.enqueue(found.choices), REPAIR
