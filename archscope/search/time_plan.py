"""Plan the time of a search: how it is divided, and how much is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from math import ceil, inf

from msgspec import Struct, structs

SEARCHED = 0.6
"""Share of the time after the pilot for training candidates."""

FINALS = 0.75
"""Share of the rest for the final trainings; repeats get what they leave."""

REPEATS = 0.2
"""The most time of repeats, as a share of that of candidates."""

MARGIN = 0.04
"""Share of the time reserved at the end for writing the result."""

MARGIN_SECONDS = (3.0, 20.0)
"""The least and the most of that time."""


class Clock:
    """The time limit of a search, and how much is left."""

    def __init__(
        self,
        limit: float | None,
        now: Callable[[], float] = time.perf_counter,
        began: float | None = None,
    ) -> None:
        """Take a limit in seconds or None, a function that returns the time, and the start."""
        self.limit, self.now = limit, now
        self.began = now() if began is None else began

    @property
    def elapsed(self) -> float:
        """Seconds since the search began."""
        return self.now() - self.began

    @property
    def is_over(self) -> bool:
        """Whether the limit has passed, including the time to write the result."""
        return self.limit is not None and self.elapsed >= self.limit

    @property
    def left(self) -> float:
        """Seconds until all trainings must have ended; infinite without a limit."""
        if self.limit is None:
            return inf
        least, most = MARGIN_SECONDS
        margin = min(max(MARGIN * self.limit, least), most)
        return self.limit - margin - self.elapsed

    def deadline(self, seconds: float = inf) -> float | None:
        """Return the time in `seconds`, or the end of the limit if earlier; None for neither."""
        seconds = min(seconds, self.left)
        return None if seconds == inf else self.now() + seconds


class FinalPlan(Struct, frozen=True):
    """The final trainings: the numbers of networks and seeds, and how much longer they are."""

    networks: int
    seeds: int
    stretch: int

    def seconds(self, training: float, workers: int) -> float:
        """Return their total time if a brief training takes `training` seconds."""
        return ceil(self.networks * self.seeds / workers) * self.stretch * training

    def fitting(self, training: float, workers: int, left: float) -> FinalPlan | None:
        """Return the largest plan that fits into the time left, or None if there is none.

        Trainings become shorter first, then there are fewer seeds, then fewer networks.
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
    """The trainings of a search, and their expected time."""

    trainings: int  # of candidates, including those of an earlier run
    training: float  # seconds per training
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
