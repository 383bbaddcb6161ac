"""Timing on a shared machine: all contestants run in turns, and medians count."""

from __future__ import annotations

import gc
import subprocess
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from io import StringIO
from statistics import median
from time import perf_counter

from msgspec import Struct

Trial = Callable[[], tuple[float, float]]
"""One run: prepares what it needs, then returns the seconds it took and the MACs it counted."""

TURN = 0.1
"""Seconds of a turn: who needs less runs again, for the clock of one short run is all noise."""


class Row(Struct, frozen=True):
    """The result of a contestant, or why it failed."""

    tool: str
    macs: float | None = None
    seconds: float | None = None  # the median
    best: float | None = None
    problem: str | None = None


def timed(work: Callable[[], float]) -> tuple[float, float]:
    """Return the seconds that `work` takes, and what it returns."""
    start = perf_counter()
    result = work()
    return perf_counter() - start, result


def race(trials: Mapping[str, Trial], repeats: int) -> list[Row]:
    """Return a row for each contestant: the median of `repeats` turns, after one to warm up.

    They take turns, so that a noisy minute meets them all. Who fails is out.
    """
    turns: dict[str, list[float]] = {name: [] for name in trials}
    counts: dict[str, float] = {}
    problems: dict[str, str] = {}
    for _ in range(repeats + 1):
        for name in trials:
            if name in problems:
                continue
            try:
                with silence():
                    seconds, counts[name] = turn(trials[name])
                turns[name].append(seconds)
            except Exception as error:
                problems[name] = problem_of(error)
    return [_row(name, turns[name][1:], counts.get(name), problems.get(name)) for name in trials]


def turn(trial: Trial) -> tuple[float, float]:
    """Return the median seconds of the runs that begin within one turn, and the count."""
    gc.collect()  # or one pays for the garbage of another
    end = perf_counter() + TURN
    seconds, macs = trial()
    runs = [seconds]
    while perf_counter() < end:
        runs.append(trial()[0])
    return median(runs), macs


def process(command: list[str], read: Callable[[str], float]) -> Trial:
    """Return a trial that runs a whole process and reads the count from what it prints."""

    def run() -> tuple[float, float]:
        start = perf_counter()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        seconds = perf_counter() - start
        if not done.stdout:
            raise RuntimeError((done.stderr.strip() or "no output").splitlines()[-1])
        return seconds, read(done.stdout)

    return run


@contextmanager
def silence() -> Iterator[None]:
    """Keep the output and warnings of tools out of the report."""
    with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
        warnings.simplefilter("ignore")
        yield


def problem_of(error: Exception) -> str:
    """Return in one line why a tool has no time to show."""
    if isinstance(error, ModuleNotFoundError):
        return f"not installed ({error.name})"
    first = (str(error).strip() or type(error).__name__).splitlines()[0]
    return f"fails: {first if len(first) <= 70 else f'{first[:67]}...'}"


def _row(tool: str, turns: list[float], macs: float | None, problem: str | None) -> Row:
    if problem:
        return Row(tool, problem=problem)
    return Row(tool, macs, median(turns), min(turns))
