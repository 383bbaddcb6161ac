"""Measure networks of the zoo on a GPU: its kernels, and how long the host takes to launch them.

Eager torch launches kernels one after another while the GPU runs earlier ones, so a network takes
what its kernels take or what their launches take, whichever is longer. Both are measured. So that
kernels do not wait for the host, the GPU sleeps until all of them are launched.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise, product
from statistics import median
from time import perf_counter

import torch
from msgspec import Struct, structs
from torch import Tensor

from archscope.bench.calibration import OF_PROBES, PROBE, Job, Progress, Sample, matched
from archscope.bench.conditions import Conditions
from archscope.bench.prepare import prepare
from archscope.build import Network
from archscope.errors import OptionError, UnavailableError
from archscope.ir import text_of
from archscope.latency.kernel_kinds import EAGER_GPU, FEATURES, FIXED
from archscope.latency.kernels import Kernel, kernels

BATCHES = (1, 64)
"""Images at once: of a single image launches take longer on a fast GPU, of many the kernels."""

SECONDS = 0.06  # for each measurement of a network
LEAST = 3  # runs of each
ROUNDS = 2  # in which whole networks are timed; others disturb the host, for seconds at a time
WARM_UP = 3  # runs in which libraries choose kernels, and memory is allocated
CYCLES = 2.5e9  # of a GPU in a second, at most
HEAD_START = 4.0  # for which kernels wait, as a multiple of the time that their launches took


class GpuSample(Struct, frozen=True):
    """A network measured with a batch.

    `sample` has the kernels for one image, and the seconds that they and the whole network take on
    the GPU with the batch when the host is ahead.
    """

    sample: Sample
    batch: int
    launch_seconds: float  # until the host has launched everything
    wall_seconds: float  # until everything has run, as `archscope bench` measures

    def of_batch(self) -> Sample:
        """Return the sample with the kernels of the batch, equal ones added up, as they count."""
        spent: dict[Kernel, list[float]] = {}
        for kernel, seconds in zip(self.sample.kernels, self.sample.seconds, strict=True):
            spent.setdefault(structs.replace(kernel, nodes=()), []).append(seconds)
        return structs.replace(
            self.sample,
            kernels=tuple(
                structs.replace(kernel, features=self._grown(kernel, len(times)))
                for kernel, times in spent.items()
            ),
            seconds=tuple(map(sum, spent.values())),
        )

    def _grown(self, kernel: Kernel, times: int) -> tuple[float, ...]:
        values = zip(FEATURES, kernel.features, strict=True)
        return tuple(times * (x if name in FIXED else x * self.batch) for name, x in values)


def measure_on_gpu(
    work: Sequence[Job],
    conditions: Conditions,
    batches: Sequence[int] = BATCHES,
    *,
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
    progress: Progress = lambda text, share: None,
) -> tuple[list[GpuSample], list[str]]:
    """Measure networks in eager torch on a GPU with each batch.

    Also returns a line for each network that could not be measured, such as for lack of memory.
    Raises OptionError for other conditions than eager inference on a GPU, UnavailableError if
    nothing could be measured.
    """
    if conditions.device != "cuda" or conditions.runtime != "torch" or conditions.compiled:
        raise OptionError(f"expected torch on a GPU, got {conditions} on {conditions.device}")
    found: dict[tuple[int, int], GpuSample] = {}
    missing: list[str] = []
    for turn, (place, job) in product(range(rounds), enumerate(work)):
        what = f"{job.graph.name} {text_of(job.graph.inputs[0].out)}"
        progress(what, (turn * len(work) + place) / (rounds * len(work)))
        if turn and (place, batches[0]) not in found:
            continue
        long = seconds * (OF_PROBES if job.family == PROBE else 1.0)
        try:
            for sample in _samples(job, conditions, sorted(set(batches)), long, first=not turn):
                key = place, sample.batch
                found[key] = _faster(found.get(key, sample), sample)
        except (RuntimeError, OptionError) as error:
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)
            missing.append(f"{what} was not measured: {reason}")
        torch.cuda.empty_cache()
    if not found:
        raise UnavailableError(f"nothing could be measured: {next(iter(missing), 'no networks')}")
    return list(found.values()), missing


def _faster(first: GpuSample, other: GpuSample) -> GpuSample:
    """Return a sample with the shorter times of both on the host."""
    return structs.replace(
        first,
        launch_seconds=min(first.launch_seconds, other.launch_seconds),
        wall_seconds=min(first.wall_seconds, other.wall_seconds),
    )


def _samples(
    job: Job, conditions: Conditions, batches: Sequence[int], seconds: float, *, first: bool
) -> Iterator[GpuSample]:
    """Yield the samples of a network for each batch; kernels are timed in the `first` round."""
    graph = job.graph.inference()
    if conditions.channels_last and all(len(node.out) < 3 for node in graph.inputs):
        conditions = structs.replace(conditions, channels_last=False)  # nothing to put last
    prepared = prepare(graph, batches[-1], conditions)
    made = kernels(graph, EAGER_GPU)
    for batch in batches:
        inputs = tuple(tensor[:batch] for tensor in prepared.inputs)
        timed = TimedRuns(prepared.network, inputs)
        total, spent = 0.0, (0.0,) * len(made)
        with torch.inference_mode():
            launch, wall = timed.whole(seconds)
            if first:
                total, times = timed.on_gpu(launch, seconds)
                spent = matched(made, times, graph)
        sample = Sample(graph.name, job.family, job.varied, made, spent, total)
        yield GpuSample(sample, batch, launch, wall)


class TimedRuns:
    """Runs of a network on a GPU, timed by the clock of the host and by events of the GPU."""

    def __init__(self, network: Network, inputs: tuple[Tensor, ...]) -> None:
        self.network, self.inputs = network, inputs

    def whole(self, seconds: float) -> tuple[float, float]:
        """Return the median seconds until everything is launched, and until it has run."""
        for _ in range(WARM_UP):
            self.network(*self.inputs)
        launches: list[float] = []
        walls: list[float] = []
        start = perf_counter()
        while len(walls) < LEAST or perf_counter() - start < seconds:
            torch.cuda.synchronize()
            before = perf_counter()
            self.network(*self.inputs)
            launches.append(perf_counter() - before)
            torch.cuda.synchronize()
            walls.append(perf_counter() - before)
        return median(launches), median(walls)

    def on_gpu(
        self, launch: float, seconds: float
    ) -> tuple[float, list[tuple[tuple[str, ...], float]]]:
        """Return the median seconds of the whole network and of each layer without waiting.

        `launch` are the seconds that launching it takes.
        """
        cycles = int(HEAD_START * launch * CYCLES)
        totals: list[float] = []
        layers: list[list[float]] = []
        names: list[str] = []

        def launched(name: str, value: Tensor) -> Tensor:
            names.append(name)
            events.append(_now())
            return value

        start = perf_counter()
        while len(totals) < LEAST or perf_counter() - start < 2 * seconds:
            _wait(cycles)
            events = [_now()]
            self.network(*self.inputs)
            events.append(_now())
            totals.extend(_between(events))
            names.clear()
            _wait(cycles)
            events = []
            self.network.run(self.inputs, launched)
            layers.append(_between(events))
        total = median(totals)
        inputs = len(self.inputs)  # are told first, and take no time
        spent = [median(times) for times in zip(*layers, strict=True)][inputs - 1 :]
        by_event = max(sum(spent) - total, 0.0) / len(spent)  # each takes a moment itself
        times = [max(time - by_event, time / 10) for time in spent]
        return total, [((name,), t) for name, t in zip(names[inputs:], times, strict=True)]


def _wait(cycles: int) -> None:
    """Let the GPU do nothing for a while, as torch's own tests do."""
    torch.cuda._sleep(cycles)  # type: ignore[no-untyped-call]  # torch is untyped there


def _now() -> torch.cuda.Event:
    """Return an event that tells when everything launched before has run."""
    event = torch.cuda.Event(enable_timing=True)  # type: ignore[no-untyped-call]  # as above
    event.record()
    return event


def _between(events: Sequence[torch.cuda.Event]) -> list[float]:
    """Return the seconds between events, after waiting for them."""
    torch.cuda.synchronize()
    return [1e-3 * a.elapsed_time(b) for a, b in pairwise(events)]
