"""The strategy of a study: what decides, with the space, which networks it trains."""

from __future__ import annotations

import hashlib
from random import Random
from typing import Any

from msgspec import Struct

from archscope.metrics import ACCURACY
from archscope.records.study import BASELINE
from archscope.search.samplers import DEFAULT, UNIFORM, starts
from archscope.space.budget import Budget


class Strategy(Struct, frozen=True, kw_only=True):
    """How a study chooses networks; equal strategies with equal results make equal studies."""

    budgets: tuple[Budget, ...] = ()
    sampler: str = DEFAULT
    seed: int = 0
    lag: int = 4  # trainings whose results a new proposal does not wait for
    baseline: float = 0.2  # share of the trainings drawn uniformly from all that fit
    anchors: tuple[tuple[str, dict[str, Any]], ...] = ()  # names and choices of the first networks
    objectives: tuple[str, ...] = (ACCURACY,)
    prescreen: int = 1  # feasible networks proposed for each that is trained
    eta: int = 0  # one training of so many passes each rung of successive halving; 0: all do
    unique: bool = True  # whether equal networks are trained once
    starts: int | None = None  # networks drawn uniformly before the sampler chooses; None: its own

    @property
    def first(self) -> int:
        """The number of networks drawn uniformly before the sampler chooses any."""
        return starts(self.sampler) if self.starts is None else self.starts

    @property
    def metrics(self) -> tuple[str, ...]:
        """The metrics that are limited or optimised."""
        return tuple(dict.fromkeys([*(b.metric for b in self.budgets), *self.objectives]))

    def uniform_origin(self, number: int) -> str | None:
        """Return the origin of a training if it is drawn uniformly, None if it is sampled.

        `number` counts trainings from 0, anchors included. The baseline's are those that the
        sampler draws uniformly to begin with, and more, spread evenly, where its share is larger.
        """
        if self.sampler == UNIFORM:
            return UNIFORM
        if not self.baseline:
            return None
        first = self.first  # the sampler's uniform draws are the baseline's
        before, after = (int(count * self.baseline + 1e-9) for count in (number, number + 1))
        starting = number < first + len(self.anchors)
        return BASELINE if starting or after > max(before, first) else None

    def is_sampled(self, origin: str) -> bool:
        """Return whether an origin is the sampler, or the repair of one of its proposals."""
        return origin in (self.sampler, "repair") and self.sampler != UNIFORM

    def seed_of(self, number: int) -> int:
        """Return the seed of a proposal, which depends on nothing else that happens."""
        digest = hashlib.sha256(f"{self.seed}/{number}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def random(self, number: int) -> Random:
        """Return the random numbers of a proposal."""
        return Random(self.seed_of(number))  # noqa: S311 nothing secret is drawn
