"""The latency of networks, each with every batch, all of them in turns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import psutil
from msgspec import Struct

from archscope.analysis.cost import costs, total
from archscope.bench.conditions import Conditions
from archscope.bench.interleaved import JobResult, Progress, run_interleaved
from archscope.bench.layer_timings import LayerTimings
from archscope.bench.machine import Machine, this_machine, using_threads
from archscope.bench.roofline import Roofline, known_roofline
from archscope.bench.timing import Clock, Timing, clock_of, timing
from archscope.errors import OptionError
from archscope.ir import Graph

FORMAT = 1
"""Version of the JSON contract: keys may be added, never renamed."""


class Measured(Struct, frozen=True):
    """The speed of one network with one batch."""

    name: str
    batch: int
    params: int
    macs: int  # of the forward pass of the batch
    timing: Timing  # of the batch
    images_per_second: float
    gmacs_per_second: float | None  # of the forward pass; None in training, which does more
    layers: LayerTimings | None = None


class Bench(Struct, frozen=True):
    """The results of `bench`, with machine and conditions."""

    format: int
    machine: Machine
    conditions: Conditions
    seconds: float  # asked for, for each network
    networks: tuple[Measured, ...]
    load: float  # processes that wanted to run in the minute before, on average
    roofline: Roofline | None = None  # that layers are held against


def conditions_on(machine: Machine, threads: int | None, **others: Any) -> Conditions:
    """Return conditions; `threads` is by default the number that torch chooses.

    The others are fields of `Conditions`. Raises OptionError for unknown names and contradictions.
    """
    with using_threads(threads) as used:
        return Conditions(machine.device, threads=used, **others)


def bench(
    graphs: Sequence[Graph],
    *,
    batches: Sequence[int] = (1,),
    device: str = "auto",
    threads: int | None = None,
    per_layer: bool = False,
    seconds: float = 2.0,
    clock: Clock | None = None,
    progress: Progress = lambda words: None,
    **others: Any,
) -> Bench:
    """Measure the latency of graphs with every batch, in turns, each for `seconds`.

    `threads` is by default the number that torch chooses; the others are fields of `Conditions`,
    such as `training=True`, which measures a step of forward pass, loss, backward pass and
    optimizer instead of inference, and `runtime="onnxruntime"`. `per_layer` times every layer, in
    onnxruntime those together that one kernel computes, and compares it with the roofline, which
    is measured first if it is not cached. `progress` is called with a short text
    about what happens; `clock` is for tests.

    Raises OptionError for contradictory options and for a batch that does not fit into memory,
    UnavailableError for a device, dtype or runtime that does not exist here.
    """
    others = for_runtime(others)
    runs_in_torch = others.get("runtime", "torch") == "torch"
    place = this_machine("cpu" if device == "auto" and not runs_in_torch else device)
    conditions = conditions_on(place, threads, **others)
    if per_layer and (conditions.training or conditions.compiled):
        raise OptionError("layers are timed at inference of a network that is not compiled")
    if per_layer and conditions.runtime == "openvino":
        raise OptionError("layers are timed in torch and in onnxruntime, not in openvino")
    clock = clock or clock_of(conditions.device, conditions.processor_time)
    load, roof = psutil.getloadavg()[0], None
    if per_layer:
        progress("measuring the machine")
        # Products of int8 are held against those of float32.
        dtype = "float32" if conditions.dtype == "int8" else conditions.dtype
        roof = known_roofline(place, dtype, conditions.threads)
    lean = [graph if conditions.training else graph.inference() for graph in graphs]
    jobs = [(graph, batch) for graph in lean for batch in batches]
    results = run_interleaved(
        jobs, conditions, seconds=seconds, clock=clock, progress=progress, per_layer=per_layer
    )
    networks = tuple(
        _measured(graph, batch, result, conditions, roof)
        for (graph, batch), result in zip(jobs, results, strict=True)
    )
    return Bench(FORMAT, place, conditions, seconds, networks, load, roof)


def for_runtime(conditions: Mapping[str, Any]) -> dict[str, Any]:
    """Return conditions with what a runtime implies: other runtimes than torch fold batch norms."""
    runtime = conditions.get("runtime", "torch")
    if runtime == "torch-compile":
        return {**conditions, "runtime": "torch", "compiled": True}
    return dict(conditions) if runtime == "torch" else {**conditions, "fused": True}


def latency(
    graph: Graph,
    device: str = "auto",
    threads: int | None = None,
    batch: int = 1,
    *,
    dtype: str = "float32",
    seconds: float = 0.5,
    clock: Clock | None = None,
) -> Timing:
    """Return the latency of inference of a batch, with batch norms folded as for deployment.

    Raises OptionError if it does not fit into memory, UnavailableError for a device that does
    not exist here.
    """
    options: dict[str, Any] = {"dtype": dtype, "fused": True, "seconds": seconds, "clock": clock}
    result = bench([graph], batches=[batch], device=device, threads=threads, **options)
    return result.networks[0].timing


def milliseconds(graph: Graph) -> float:
    """Return the median latency of one image on one thread, as budgets and objectives have it."""
    return latency(graph, threads=1).median_seconds * 1e3


def _measured(
    graph: Graph, batch: int, result: JobResult, conditions: Conditions, roof: Roofline | None
) -> Measured:
    cost, spent, layers = total(costs(graph, batch)), timing(result.turns), None
    if result.stopwatch is not None and roof is not None:
        layers = result.stopwatch.layers(batch, conditions.dtype, roof)
    images = batch / spent.median_seconds
    rate = None if conditions.training else cost.macs / spent.median_seconds / 1e9
    return Measured(graph.name, batch, cost.params, cost.macs, spent, images, rate, layers)
