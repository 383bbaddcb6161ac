"""A machine and the conditions on it, under which networks take turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from archscope.bench import memory_check
from archscope.bench.conditions import Conditions
from archscope.bench.layer_timings import Stopwatch
from archscope.bench.machine import Machine, room, using_threads
from archscope.bench.prepare import Prepared, prepare
from archscope.bench.timing import LEAST, Clock, Turns, measure
from archscope.errors import OptionError
from archscope.ir import Graph

Progress = Callable[[str], None]
"""Is told in words what happens."""

Job = tuple[Graph, int]
"""A graph and a batch."""


class Run(Struct, frozen=True):
    """The turns of one job, and those of its layers where they were watched."""

    turns: Turns
    watch: Stopwatch | None


def take_turns(
    jobs: Sequence[Job],
    machine: Machine,
    conditions: Conditions,
    *,
    seconds: float,
    clock: Clock,
    progress: Progress,
    watched: bool = False,
    least: int = LEAST,
) -> list[Run]:
    """Run all jobs in turns, `seconds` each; `watched` times their layers, too, as long again.

    Raises OptionError if they do not fit into memory, UnavailableError if torch cannot run one.
    """
    if not jobs or min(batch for _, batch in jobs) < 1:
        raise OptionError("there is nothing to measure: name networks, and batches of 1 or more")
    if seconds < 0:
        raise OptionError(f"expected a time of 0 seconds or more, got {seconds:g}")
    memory_check.check(jobs, conditions, room(machine.device))
    calls: list[Callable[[], object]] = []
    watches: list[Stopwatch | None] = []
    with using_threads(conditions.threads):
        for graph, batch in jobs:
            progress(f"preparing {graph.name}")
            prepared = _prepared(graph, batch, conditions)
            watch = Stopwatch(prepared, clock) if watched else None
            watches.append(watch)
            calls += [prepared.call] if watch is None else [prepared.call, watch]

        def tell(share: float) -> None:
            progress(f"measuring, {share:.0%}")

        turns = measure(calls, seconds, clock, tell, least)
    plain = turns[:: 2 if watched else 1]
    return [Run(one, watch) for one, watch in zip(plain, watches, strict=True)]


def _prepared(graph: Graph, batch: int, conditions: Conditions) -> Prepared:
    with memory_check.understood(graph, batch, conditions):
        prepared = prepare(graph, batch, conditions)
        prepared.call()  # what cannot run says so here
        return prepared
