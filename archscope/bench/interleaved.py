"""Runs of several networks in turns on one machine, under the same conditions."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from msgspec import Struct

from archscope.bench import memory_check
from archscope.bench.conditions import Conditions
from archscope.bench.layer_timings import Stopwatch
from archscope.bench.machine import free_bytes, using_threads
from archscope.bench.onnx_layers import KernelStopwatch, prepare_onnx
from archscope.bench.openvino import openvino_call
from archscope.bench.prepare import prepare
from archscope.bench.timing import MIN_TURNS, Clock, Turns, measure
from archscope.errors import OptionError
from archscope.ir import Graph

Progress = Callable[[str], None]
"""Called with a short description of the current work."""

Job = tuple[Graph, int]
"""A graph and the size of its batch."""


LayerStopwatch = Stopwatch | KernelStopwatch
"""Runs a network once at each call, and returns the time of its layers afterwards."""


class JobResult(Struct, frozen=True):
    """The turns of one job, and the stopwatch of its layers if they were timed."""

    turns: Turns
    stopwatch: LayerStopwatch | None


def run_interleaved(
    jobs: Sequence[Job],
    conditions: Conditions,
    *,
    seconds: float,
    clock: Clock,
    progress: Progress,
    per_layer: bool = False,
    min_turns: int = MIN_TURNS,
) -> list[JobResult]:
    """Run all jobs in turns, each for `seconds`, and again as long if layers are timed.

    Raises OptionError if they do not fit into memory, UnavailableError for one that cannot run.
    """
    if not jobs or min(batch for _, batch in jobs) < 1:
        raise OptionError("nothing to measure: name networks, and batches of 1 or more")
    if seconds < 0:
        raise OptionError(f"expected a time of 0 seconds or more, got {seconds:g}")
    memory_check.check_memory(jobs, conditions, free_bytes(conditions.device))
    calls: list[Callable[[], object]] = []
    stopwatches: list[LayerStopwatch | None] = []
    with using_threads(conditions.threads):
        for graph, batch in jobs:
            progress(f"preparing {graph.name}")
            call, stopwatch = _ready(graph, batch, conditions, clock if per_layer else None)
            stopwatches.append(stopwatch)
            calls += [call] if stopwatch is None else [call, stopwatch]

        def tell(share: float) -> None:
            progress(f"measuring, {share:.0%}")

        turns = measure(calls, seconds, clock, tell, min_turns)
    plain = turns[:: 2 if per_layer else 1]
    return list(map(JobResult, plain, stopwatches))


def _ready(
    graph: Graph, batch: int, conditions: Conditions, clock: Clock | None
) -> tuple[Callable[[], object], LayerStopwatch | None]:
    """Return the call that runs a network once, and the stopwatch of its layers, if any."""
    stopwatch: LayerStopwatch | None = None
    with memory_check.explained_errors(graph, batch, conditions):
        if conditions.runtime == "onnxruntime":
            in_onnx = prepare_onnx(graph, batch, conditions)
            call, stopwatch = in_onnx.call, None if clock is None else in_onnx.stopwatch()
        elif conditions.runtime == "openvino":
            call = openvino_call(graph, batch, conditions.threads, conditions.dtype)
        else:
            prepared = prepare(graph, batch, conditions)
            call, stopwatch = prepared.call, None if clock is None else Stopwatch(prepared, clock)
        call()  # raises here if it cannot run
        return call, stopwatch
