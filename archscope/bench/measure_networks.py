"""The latency of networks, each with every batch, all of them in turns."""

from __future__ import annotations

from collections.abc import Sequence

import psutil
from msgspec import Struct

from archscope.analysis.cost import costs, total
from archscope.bench.conditions import Conditions
from archscope.bench.interleaved import JobResult, Progress, run_interleaved
from archscope.bench.layer_timings import LayerTimings
from archscope.bench.machine import Machine, this_machine, using_threads
from archscope.bench.roofline import Roofline
from archscope.bench.roofline_cache import known
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


def conditions_on(
    machine: Machine,
    *,
    dtype: str = "float32",
    threads: int | None = None,
    training: bool = False,
    optimizer: str = "momentum",
    channels_last: bool = False,
    compiled: bool = False,
    fused: bool = False,
    processor_time: bool = False,
) -> Conditions:
    """Return conditions; `threads` is by default the number that torch chooses.

    Raises OptionError for unknown names and contradictions.
    """
    with using_threads(threads) as used:
        return Conditions(
            machine.device,
            dtype,
            used,
            training,
            optimizer,
            channels_last,
            compiled,
            fused,
            processor_time,
        )


def bench(
    graphs: Sequence[Graph],
    *,
    batches: Sequence[int] = (1,),
    device: str = "auto",
    dtype: str = "float32",
    threads: int | None = None,
    training: bool = False,
    optimizer: str = "momentum",
    channels_last: bool = False,
    compiled: bool = False,
    fused: bool = False,
    per_layer: bool = False,
    seconds: float = 2.0,
    processor_time: bool = False,
    clock: Clock | None = None,
    progress: Progress = lambda words: None,
) -> Bench:
    """Measure the latency of graphs with every batch, in turns, each for `seconds`.

    Measures inference, or with `training` a step of forward pass, loss, backward pass and
    optimizer. `threads` is by default the number that torch chooses. `fused` folds batch norms
    into the layers before them. `per_layer` times every layer and compares it with the roofline,
    which is measured first if it is not cached. `processor_time` measures the CPU time of one
    thread instead of wall-clock time, so that other work on the machine matters less. `progress`
    is called with a short text about what happens; `clock` is for tests.

    Raises OptionError for contradictory options and for a batch that does not fit into memory,
    UnavailableError for a device or dtype that does not exist here.
    """
    if per_layer and (training or compiled):
        raise OptionError("layers are timed at inference of a network that is not compiled")
    place = this_machine(device)
    conditions = conditions_on(
        place,
        dtype=dtype,
        threads=threads,
        training=training,
        optimizer=optimizer,
        channels_last=channels_last,
        compiled=compiled,
        fused=fused,
        processor_time=processor_time,
    )
    clock = clock or clock_of(processor_time)
    load, roof = psutil.getloadavg()[0], None
    if per_layer:
        progress("measuring the machine")
        roof = known(place, dtype, conditions.threads)
    lean = [graph if training else graph.inference() for graph in graphs]
    jobs = [(graph, batch) for graph in lean for batch in batches]
    results = run_interleaved(
        jobs,
        place,
        conditions,
        seconds=seconds,
        clock=clock,
        progress=progress,
        per_layer=per_layer,
    )
    networks = tuple(
        _measured(graph, batch, result, conditions, roof)
        for (graph, batch), result in zip(jobs, results, strict=True)
    )
    return Bench(FORMAT, place, conditions, seconds, networks, load, roof)


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
    result = bench(
        [graph],
        batches=[batch],
        device=device,
        threads=threads,
        dtype=dtype,
        fused=True,
        seconds=seconds,
        clock=clock,
    )
    return result.networks[0].timing


def milliseconds(graph: Graph) -> float:
    """Return the median latency of one image on one thread, as budgets and objectives have it."""
    return latency(graph, threads=1).median_seconds * 1e3


def _measured(
    graph: Graph, batch: int, result: JobResult, conditions: Conditions, roof: Roofline | None
) -> Measured:
    cost = total(costs(graph, batch))
    spent = timing(result.turns)
    layers = None
    if result.stopwatch is not None and roof is not None:
        layers = result.stopwatch.layers(batch, conditions.dtype, roof)
    rate = cost.macs / spent.median_seconds / 1e9
    return Measured(
        graph.name,
        batch,
        cost.params,
        cost.macs,
        spent,
        batch / spent.median_seconds,
        None if conditions.training else rate,
        layers,
    )
