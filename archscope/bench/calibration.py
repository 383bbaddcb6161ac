"""Measure networks of the zoo on this machine, kernel by kernel and as a whole.

Kernels are timed inside networks, where caches and memory are in realistic states; measuring
thousands of separate kernels takes longer and tells less.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from archscope.bench.conditions import Conditions
from archscope.bench.layer_timings import Stopwatch
from archscope.bench.machine import using_threads
from archscope.bench.onnx_kernels import KernelProfiler
from archscope.bench.onnx_latency import onnx_call
from archscope.bench.prepare import prepare
from archscope.bench.timing import Clock, clock_of, measure, timing
from archscope.errors import OptionError, ShapeError, SpecError
from archscope.exporters.onnx_export import export_onnx
from archscope.ir import Graph, text_of
from archscope.language import load
from archscope.latency.kernel_kinds import EAGER, FEATURES, ONNXRUNTIME, Kind
from archscope.latency.kernels import Kernel, kernels

OUTPUT = FEATURES.index("output")

RUNTIMES = {"onnxruntime": ONNXRUNTIME, "torch": EAGER}
"""The runtimes that can be calibrated, and what they fuse."""

FAMILIES: dict[str, tuple[str, ...]] = {
    "alexnet": ("alexnet",),
    "convnext": ("convnext_tiny",),
    "densenet": ("densenet121",),
    "efficientnet": ("efficientnet_b0",),
    "ghostnet": ("ghostnet",),
    "inception": ("googlenet_bn", "inception_v3"),
    "mnasnet": ("mnasnet1_0", "mnasnet_a1"),
    "mobilenet_v1": ("mobilenet_v1", "mobilenet_v1_050", "mobilenet_v1_025"),
    "mobilenet_v2": ("mobilenet_v2", "mobilenet_v2_140", "mobilenet_v2_050"),
    "mobilenet_v3": ("mobilenet_v3_large", "mobilenet_v3_small"),
    "nasnet": ("nasnet_a_mobile",),
    "regnet": ("regnet_x_400mf", "regnet_y_400mf"),
    "repvgg": ("repvgg_a0",),
    "resnet": ("resnet18", "resnet34", "resnet50", "preresnet50"),
    "resnext": ("resnext50_32x4d", "se_resnet50"),
    "shufflenet_v1": ("shufflenet_v1_g1", "shufflenet_v1_g3"),
    "shufflenet_v2": ("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x2_0"),
    "squeezenet": ("squeezenet1_0", "squeezenet1_1"),
    "vgg": ("vgg11",),
    "xception": ("xception",),
}
"""The measured networks, by the families that cross-validation leaves out."""

PROBES: tuple[tuple[str, dict[str, Any]], ...] = (
    ("odd_channels", {}), ("odd_channels", {"c": 58}), ("functions", {}), ("copies", {}),
    ("attention", {}), ("attention", {"c": 384, "heads": 6, "tokens": 128}),
    ("attention", {"c": 96, "heads": 2, "tokens": 49}),
    ("attention", {"c": 768, "heads": 12}),
    ("windows", {}), ("windows", {"c": 144, "heads": 4, "side": 32, "size": 16}),
    ("windows", {"c": 48, "heads": 3, "side": 56}),
    ("windows", {"c": 60, "heads": 4, "side": 16, "size": 8}), ("patches", {}),
    ("patches", {"c": 256, "size": 32}), ("patches", {"c": 96, "size": 8}),
    ("recurrent", {}), ("recurrent", {"c": 128}), ("norms", {}), ("norms", {"c": 96}),
    ("transposed", {}), ("transposed", {"c": 24}), ("transposed", {"c": 64}),
    ("generator", {}), ("generator", {"c": 512, "z": 128}), ("small_images", {}),
    ("small_images", {"c": 24}), ("small_images", {"c": 48}), ("positions", {}),
    ("positions", {"c": 1024}),
    ("volumes", {}), ("volumes", {"c": 24, "side": 20}), ("resizes", {}),
    ("resizes", {"c": 64, "side": 20}), ("large_kernels", {}),
    ("large_kernels", {"c": 48, "side": 16}),
    ("groups", {}), ("groups", {"c": 48}), ("odd_positions", {}),
    ("odd_positions", {"c": 160, "side": 37}), ("fully_connected", {}),
    ("fully_connected", {"c": 2304}), ("large_maps", {}), ("large_maps", {"c": 48, "side": 96}),
)  # fmt: skip
"""Networks of `probes/`, with values for them: kernels that few of the families have. They are no
family, and do not count in the error."""

PROBE, OF_PROBES = "probes", 0.5
"""What stands for their family, and how long they are measured, as a fraction: most are small."""

SMALLER = 0.7
"""Each network is also measured for images smaller by this factor."""

ROUNDS, AGAIN, AGREE = 3, 3, 0.05
"""Rounds in which all networks are measured, and the most further ones for networks whose two
shortest times disagree by more than a fraction."""

SECONDS = 0.15  # of each round, for a whole network and again for its kernels
TURNS = 2  # the least, for networks that take long

Progress = Callable[[str, float], None]
"""Called with a description of the measurement and the fraction done."""


class Sample(Struct, frozen=True):
    """A measured network: its kernels, the time of each, and the time of a whole run."""

    network: str
    family: str
    varied: bool  # another input size, which does not count in the error
    kernels: tuple[Kernel, ...]
    seconds: tuple[float, ...]  # of each kernel
    whole_seconds: float
    unsteady: bool = False  # its two shortest times disagree


class Job(Struct, frozen=True):
    """A network to be measured."""

    graph: Graph
    family: str
    varied: bool


def jobs(families: Sequence[str] | None = None) -> Iterator[Job]:
    """Yield the networks to measure, each for two image sizes if possible."""
    for family in families or FAMILIES:
        for name in FAMILIES[family]:
            graph = load(name)
            yield Job(graph, family, varied=False)
            channels, *sides = graph.inputs[0].out
            shape = (channels, *(round(side * SMALLER / 32) * 32 for side in sides))
            try:
                yield Job(load(name, input=shape), family, varied=True)
            except (ShapeError, SpecError):  # its windows do not fit into a smaller image
                continue
    for name, values in () if families else PROBES:
        graph = load(Path(__file__).parent / "probes" / f"{name}.yaml", set=values)
        yield Job(graph, PROBE, varied=True)


def measure_jobs(
    work: Sequence[Job],
    runtime: str,
    threads: int,
    *,
    seconds: float = SECONDS,
    rounds: int = ROUNDS,
    clock: Clock | None = None,
    progress: Progress = lambda text, share: None,
) -> list[Sample]:
    """Measure networks in a runtime on the CPU, kernel by kernel and as a whole.

    Each is measured in several rounds, and again if these disagree; `undisturbed` is returned.
    One thread is timed by its processor time, which other work on the machine disturbs less.
    Raises OptionError for a runtime that cannot be calibrated, UnavailableError without it.
    """
    if runtime not in RUNTIMES:
        raise OptionError(f"expected a runtime of {', '.join(RUNTIMES)}, got '{runtime}'")
    clock = clock or clock_of("cpu", processor_time=threads == 1)
    timed = _in_onnxruntime if runtime == "onnxruntime" else _in_torch
    found: list[list[Sample]] = [[] for _ in work]
    with using_threads(threads), _objects_kept():
        for turn in range(rounds + AGAIN):
            places = [n for n, of in enumerate(found) if turn < rounds or unsteady(of)]
            for count, place in enumerate(places):
                job = work[place]
                # All rounds that measure some again count as one.
                weight = 1.0 if turn < rounds else 1 / AGAIN
                done = min(turn, rounds) + weight * (max(turn - rounds, 0) + count / len(places))
                what = f"{job.graph.name} {text_of(job.graph.inputs[0].out)}"
                progress(what, done / (rounds + 1))
                long = seconds * (OF_PROBES if job.family == PROBE else 1.0)
                found[place].append(timed(job, threads, long, clock))
    return [undisturbed(of_job) for of_job in found]


def unsteady(samples: Sequence[Sample]) -> bool:
    """Return whether the two shortest times of a network over some rounds disagree."""
    return disagree([sample.whole_seconds for sample in samples])


def disagree(times: Sequence[float]) -> bool:
    """Return whether the two shortest of some times differ by more than `AGREE`."""
    shortest = sorted(times)[:2]
    return len(shortest) > 1 and shortest[1] > (1 + AGREE) * shortest[0]


def undisturbed(samples: Sequence[Sample]) -> Sample:
    """Return the shortest time of a network over some rounds, and the kernels of the fastest.

    What shares a core with a virtual machine slows it down for seconds to minutes, by up to two
    thirds, and nothing makes a round faster than it should be.
    """
    return structs.replace(
        min(samples, key=lambda sample: sum(sample.seconds)),
        unsteady=unsteady(samples),
        whole_seconds=min(sample.whole_seconds for sample in samples),
    )


@contextmanager
def _objects_kept() -> Iterator[None]:
    """Spare garbage collection, which precedes each measurement, the objects of this moment."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def _in_onnxruntime(job: Job, threads: int, seconds: float, clock: Clock) -> Sample:
    exported = export_onnx(job.graph)
    made = kernels(exported.graph, ONNXRUNTIME)
    content = exported.model.content()
    whole = _seconds(onnx_call(content, threads), seconds, clock)
    profiler = KernelProfiler(exported, threads=threads, content=content)
    measure([profiler], seconds, clock, min_turns=TURNS)
    found = profiler.times(undisturbed=True).kernels
    spent = matched(made, [(kernel.layers, kernel.seconds) for kernel in found], exported.graph)
    return Sample(job.graph.name, job.family, job.varied, made, spent, whole)


def _in_torch(job: Job, threads: int, seconds: float, clock: Clock) -> Sample:
    conditions = Conditions(device="cpu", threads=threads)
    prepared = prepare(job.graph, 1, conditions)
    made = kernels(job.graph, EAGER)
    whole = _seconds(prepared.call, seconds, clock)
    stopwatch = Stopwatch(prepared, clock)
    measure([stopwatch], seconds, clock, min_turns=TURNS)
    times = [((name,), time) for name, time in stopwatch.medians()]
    # What is between layers, such as passing values on, takes about as long for each.
    between = max(whole - sum(time for _, time in times), 0.0) / len(times)
    spent = matched(made, [(names, time + between) for names, time in times], job.graph)
    return Sample(job.graph.name, job.family, job.varied, made, spent, whole)


def _seconds(call: Callable[[], object], seconds: float, clock: Clock) -> float:
    return timing(measure([call], seconds, clock, min_turns=TURNS)[0]).median_seconds


def matched(
    made: Sequence[Kernel], times: Sequence[tuple[Sequence[str], float]], graph: Graph
) -> tuple[float, ...]:
    """Return the seconds of each of our kernels, from those of the kernels of the runtime.

    A kernel of the runtime belongs to ours of its node with the most macs, or equally to all of
    ours if they have none: ranges of channels are split at once. One that computes no node changes
    a layout: the longest belongs to the largest of our reorders.
    """
    places = {
        name: place
        for place, kernel in enumerate(made)
        if kernel.kind != Kind.REORDER
        for name in kernel.nodes
    }
    spent = [0.0] * len(made)
    reordering = []
    for layers, seconds in times:
        known = [name for name in layers if name in places]
        if not known:
            reordering.append(seconds)
            continue
        main = max(known, key=lambda name: graph.facts[name].macs)
        several = {places[name] for name in known} if not graph.facts[main].macs else ()
        for place in several or (places[main],):
            spent[place] += seconds / (len(several) or 1)
    reorders = [place for place, kernel in enumerate(made) if kernel.kind == Kind.REORDER]
    reorders.sort(key=lambda place: -made[place].features[OUTPUT])
    for place, seconds in zip(reorders, sorted(reordering, reverse=True), strict=False):
        spent[place] += seconds
    return tuple(spent)
