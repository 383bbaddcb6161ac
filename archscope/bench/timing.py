"""Time calls in turns, so that a machine that becomes slower affects all of them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain
from statistics import median, quantiles
from time import perf_counter, thread_time

from msgspec import Struct
from torch.utils.benchmark import timer

from archscope.bench.freed_memory import keep_freed_memory

Clock = Callable[[], float]
"""Returns seconds since some start; torch's `timer` waits for the accelerator first."""


def clock_of(device: str, processor_time: bool = False) -> Clock:
    """Return the clock for a device: the CPU time of this thread, or else the wall clock.

    On a CPU the clock does not wait for a GPU that the machine may have.
    """
    if processor_time:
        return thread_time
    return perf_counter if device == "cpu" else timer


Turns = tuple[tuple[float, ...], ...]
"""The seconds of each call, turn by turn."""

TURN = 0.05  # seconds of a turn
WARM_UP = 0.1  # fraction of the time for warm-up
MIN_TURNS = 3  # minimum for each call: fewer have no spread


class Timing(Struct, frozen=True):
    """The time of many runs of one call: the median, and the quartiles as their spread."""

    median_seconds: float
    lower_quartile_seconds: float
    upper_quartile_seconds: float
    fastest_seconds: float
    runs: int

    @property
    def spread(self) -> float:
        """The interquartile range as a share of the median."""
        return (self.upper_quartile_seconds - self.lower_quartile_seconds) / self.median_seconds


def timing(turns: Turns) -> Timing:
    """Return the timing over all runs of all turns."""
    seconds = list(chain.from_iterable(turns))
    return Timing(*quartiles(seconds), min(seconds), len(seconds))


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """Return the median, the lower and the upper quartile; of one value, that value thrice."""
    if len(values) == 1:
        return values[0], values[0], values[0]
    lower, _, upper = quantiles(values, n=4, method="inclusive")
    return median(values), lower, upper


def measure(
    calls: Sequence[Callable[[], object]],
    seconds: float,
    clock: Clock = timer,
    progress: Callable[[float], None] = lambda share: None,
    min_turns: int = MIN_TURNS,
) -> list[Turns]:
    """Make each call for `seconds`, but at least in `min_turns` turns, and return the turns.

    A turn is one run of a call, or as many as fit into `TURN` seconds. With several calls, the
    first run of a turn finds the caches as another call left them: it does not count unless it
    is the only one. A call whose time is over drops out. `progress` gets the share done.
    """
    turns: list[list[tuple[float, ...]]] = [[] for _ in calls]
    used = [0.0] * len(calls)
    with _no_garbage_collection(), keep_freed_memory():
        for call in calls:
            _turn(call, seconds * WARM_UP, clock)
        left = list(range(len(calls)))
        while left:
            for number in left:
                spent = _turn(calls[number], TURN, clock)
                used[number] += sum(spent)
                counted = spent[1:] if len(calls) > 1 else spent
                turns[number].append(tuple(counted or spent))
            left = [n for n in left if used[n] < seconds or len(turns[n]) < min_turns]
            shares = (min(spent / seconds, 1.0) if seconds else 1.0 for spent in used)
            progress(sum(shares) / len(calls))
    return [tuple(turn) for turn in turns]


def _turn(call: Callable[[], object], seconds: float, clock: Clock) -> list[float]:
    """Return the seconds of each run made until `seconds` are over, at least one."""
    spent: list[float] = []
    start = now = clock()
    while not spent or now - start < seconds:
        before = clock()
        call()
        now = clock()
        spent.append(now - before)
    return spent


@contextmanager
def _no_garbage_collection() -> Iterator[None]:
    """Keep Python's garbage collector from running in the middle of a measurement."""
    running = gc.isenabled()
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        if running:
            gc.enable()
