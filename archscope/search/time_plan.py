"""The time of a search: how it is shared out, and what is left of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from math import ceil, inf

from msgspec import Struct, structs

SEARCHED = 0.6
"""Share of the time, after the pilot, in which candidates are trained."""

FINALS = 0.75
"""Share of the rest for the last trainings; repeats have what they leave."""

REPEATS = 0.2
"""Share of the time of candidates that repeats may take."""

MARGIN = 0.04
"""Share of the time that is left over at the end, to write the result."""

MARGIN_SECONDS = (3.0, 20.0)
"""The least and the most of it."""


class Clock:
    """The time that a search may take, and what is left of it."""

    def __init__(
        self,
        limit: float | None,
        now: Callable[[], float] = time.perf_counter,
        began: float | None = None,
    ) -> None:
        """Take a limit in seconds, None for none, what tells the time, and when it began to run."""
        self.limit, self.now = limit, now
        self.began = now() if began is None else began

    @property
    def elapsed(self) -> float:
        """Seconds since the search began."""
        return self.now() - self.began

    @property
    def left(self) -> float:
        """Seconds until all trainings must have ended; infinite without a limit."""
        if self.limit is None:
            return inf
        least, most = MARGIN_SECONDS
        margin = min(max(MARGIN * self.limit, least), most)
        return self.limit - margin - self.elapsed

    def deadline(self, seconds: float = inf) -> float | None:
        """Return the moment in so many seconds, or at the end of the time; None without either."""
        seconds = min(seconds, self.left)
        return None if seconds == inf else self.now() + seconds


class FinalPlan(Struct, frozen=True):
    """The last trainings: of how many networks, with how many seeds, how much longer."""

    networks: int
    seeds: int
    stretch: int

    def seconds(self, training: float, workers: int) -> float:
        """Return how long they take if a brief training takes so many seconds."""
        return ceil(self.networks * self.seeds / workers) * self.stretch * training

    def fitting(self, training: float, workers: int, left: float) -> FinalPlan | None:
        """Return the largest plan that takes no longer than what is left, None if there is none.

        They are shorter first, then have fewer seeds, then there are fewer networks.
        """
        for plan in self._smaller():
            if plan.seconds(training, workers) <= left:
                return plan
        return None

    def _smaller(self) -> Iterator[FinalPlan]:
        for stretch in range(self.stretch, 0, -1):
            yield structs.replace(self, stretch=stretch)
        for seeds in range(self.seeds - 1, 0, -1):
            yield FinalPlan(self.networks, seeds, 1)
        for networks in range(self.networks - 1, 0, -1):
            yield FinalPlan(networks, 1, 1)


class TimePlan(Struct, frozen=True):
    """What a search is going to train, and how long that is likely to take."""

    trainings: int  # of candidates, those of an earlier run included
    training: float  # seconds of one
    workers: int
    repeats: int  # of candidates, with another seed
    finals: FinalPlan | None
    seconds: float  # until the end
    limit: float | None  # of the whole search


def time_plan(
    clock: Clock, training: float, workers: int, trainings: int, done: int, repeats: int,
    finals: FinalPlan | None,
) -> TimePlan:  # fmt: skip
    """Return the plan for `trainings` candidates, of which `done` are trained, in the time left."""
    room = clock.left
    reserve = finals and finals.fitting(training, workers, (1 - SEARCHED) * FINALS * room)
    if reserve is not None:
        room -= reserve.seconds(training, workers)
    for again in range(repeats, -1, -1):
        if ceil(again / workers) * training <= REPEATS * room or not again:
            repeats = again
            break
    room -= ceil(repeats / workers) * training
    fit = trainings - done
    if room < inf and training > 0:
        fit = max(0, min(fit, int(room / training) * workers))
    seconds = ceil((fit + repeats) / workers) * training
    if reserve is not None:
        seconds += reserve.seconds(training, workers)
    return TimePlan(done + fit, training, workers, repeats, reserve, seconds, clock.limit)
