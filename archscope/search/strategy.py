"""The strategy of a study: how it chooses the networks to train."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from random import Random
from typing import Any

from msgspec import Struct

from archscope.metrics import ACCURACY, METRICS
from archscope.records.score_metric import TRAINED_SCORE, Direction, ScoreMetric
from archscope.records.study import BASELINE
from archscope.search.samplers import DEFAULT, UNIFORM, starts
from archscope.space.budget import Budget


class Strategy(Struct, frozen=True, kw_only=True):
    """How a study chooses networks; equal strategies with equal results give equal studies."""

    budgets: tuple[Budget, ...] = ()
    sampler: str = DEFAULT
    seed: int = 0
    lag: int = 4  # trainings that a new proposal does not wait for
    baseline: float = 0.2  # share of trainings drawn uniformly from all that fit
    anchors: tuple[tuple[str, dict[str, Any]], ...] = ()  # names and choices of the first networks
    objectives: tuple[str, ...] = (ACCURACY,)
    score: ScoreMetric = TRAINED_SCORE  # the metric of scores, which are one of the objectives
    prescreen: int = 1  # feasible networks proposed per training
    eta: int = 0  # one in this many trainings passes each rung of successive halving; 0: all
    unique: bool = True  # whether equal networks are trained only once
    starts: int | None = None  # uniform draws before the sampler chooses; None: its default

    @property
    def first(self) -> int:
        """The number of networks drawn uniformly before the sampler chooses."""
        return starts(self.sampler) if self.starts is None else self.starts

    @property
    def costs(self) -> tuple[str, ...]:
        """The objectives but the score."""
        return tuple(name for name in self.objectives if not self.is_score(name))

    @property
    def metrics(self) -> tuple[str, ...]:
        """The costs that are limited or optimised."""
        return tuple(dict.fromkeys([*(b.metric for b in self.budgets), *self.costs]))

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The direction of each objective."""
        return directions(self.objectives, self.score)

    def is_score(self, objective: str) -> bool:
        """Return whether an objective is the score, and no cost."""
        return is_score(objective, self.score)

    def gains(self, values: Sequence[float]) -> tuple[float, ...]:
        """Return the values of the objectives such that higher is better."""
        pairs = zip(self.directions, values, strict=True)
        return tuple(value if way == "maximize" else -value for way, value in pairs)

    def uniform_origin(self, number: int) -> str | None:
        """Return the origin of a training that is drawn uniformly, None if it is sampled.

        `number` counts trainings from 0, including anchors. The baseline consists of the sampler's
        first uniform draws and, if its share is larger, of more draws, spread evenly.
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
        """Return whether an origin is the sampler, or a repair of its proposals."""
        return origin in (self.sampler, "repair") and self.sampler != UNIFORM

    def seed_of(self, number: int) -> int:
        """Return the seed of a proposal, which depends only on its number and the study's seed."""
        digest = hashlib.sha256(f"{self.seed}/{number}".encode()).digest()
        return int.from_bytes(digest[:4], "big")

    def random(self, number: int) -> Random:
        """Return the random numbers of a proposal."""
        return Random(self.seed_of(number))  # noqa: S311 nothing secret is drawn


def is_score(objective: str, score: ScoreMetric) -> bool:
    """Return whether an objective is the score, and no cost."""
    return objective in (ACCURACY, score.name)


def directions(objectives: Sequence[str], score: ScoreMetric) -> tuple[Direction, ...]:
    """Return the direction of each objective, one of which may be the score."""
    return tuple(
        score.direction if is_score(name, score)
        else "maximize" if METRICS[name].better == "more" else "minimize"
        for name in objectives
    )  # fmt: skip
