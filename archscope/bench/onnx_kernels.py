"""The kernels of onnxruntime for a network, their times, and the layers that each computes.

A runtime fuses operators: a convolution, the sum of a residual and an activation are one kernel,
which has the name of one of them. Its profile has the time of every kernel.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import fmean, median
from tempfile import TemporaryDirectory
from typing import Any

from msgspec import Struct

from archscope.bench.onnx_session import open_session, random_feeds
from archscope.exporters.onnx_export import ExportedOnnx
from archscope.ir import Graph

PROFILER_SECONDS = 2e-6
"""The time that onnxruntime's profiler adds to each kernel."""

KERNEL = "_kernel_time"
"""The suffix of the names of kernels in a profile."""

REWRITTEN = re.compile(r"^fused |_nchwc$|_bn$|_quant$|_token_\d+$|/\w+Fusion/.*$")
"""Decorations that onnxruntime adds to the names of rewritten operators."""

PRODUCTS = frozenset({"Conv", "ConvTranspose", "Gemm", "MatMul"})
"""Operators that others are fused into; a fused kernel may have the name of the last of them."""


class Kernel(Struct, frozen=True):
    """A kernel of the runtime."""

    name: str  # of its operator in the graph that the runtime made of the model
    kind: str  # `Conv`, `QLinearConv`, `ReorderOutput`
    layers: tuple[str, ...]  # nodes that it computes, in order; none if it only changes a layout
    seconds: float  # without the profiler's overhead


class KernelTimes(Struct, frozen=True):
    """The kernels of a network in the order in which they run.

    Means over the faster half of the runs: means add up, and the slower half is where other work
    disturbed the machine.
    """

    kernels: tuple[Kernel, ...]
    whole_seconds: float  # of a run, without the profiler's overhead
    runs: int


class KernelProfiler:
    """Runs a network in onnxruntime's profiler, once at each call."""

    def __init__(
        self,
        exported: ExportedOnnx,
        *,
        batch: int = 1,
        threads: int = 1,
        content: bytes | None = None,
    ) -> None:
        """Prepare a network; `content` is another form of its model, such as a quantized one."""
        self.exported = exported
        self.folder = TemporaryDirectory()
        prefix = Path(self.folder.name) / "profile"
        self.session = open_session(content or exported.model.content(), threads, prefix)
        self.feeds = random_feeds(self.session, batch)

    def __call__(self) -> None:
        """Run the network."""
        self.session.run(None, self.feeds)

    def times(self, *, undisturbed: bool = False) -> KernelTimes:
        """End the profile and return its kernels; it cannot run afterwards.

        With `undisturbed`, the time of each kernel is its lower quartile over all runs, which
        hardly depends on what else the machine does, but does not add up to a run.
        """
        path = Path(self.session.end_profiling())
        events = json.loads(path.read_text(encoding="utf-8"))
        self.folder.cleanup()
        runs = _runs(events)
        middle = median(whole for whole, _ in runs)
        fast = [(whole, kernels) for whole, kernels in runs if undisturbed or whole <= middle]
        average = lower_quartile if undisturbed else fmean
        names = [(event["name"], event["args"]["op_name"]) for event in fast[0][1]]
        spent = [[event["dur"] * 1e-6 for event in kernels] for _, kernels in fast]
        whole = fmean(whole for whole, _ in fast) * 1e-6
        layers = kernel_layers(self.exported, [name.removesuffix(KERNEL) for name, _ in names])
        kernels = tuple(
            Kernel(
                name.removesuffix(KERNEL), kind, found, max(average(times) - PROFILER_SECONDS, 0)
            )
            for (name, kind), found, *times in zip(names, layers, *spent, strict=True)
        )
        return KernelTimes(kernels, whole - len(kernels) * PROFILER_SECONDS, len(fast))


def lower_quartile(times: Sequence[float]) -> float:
    """Return the lower quartile of times."""
    return sorted(times)[len(times) // 4]


def profile_kernels(
    exported: ExportedOnnx, *, batch: int = 1, threads: int = 1, runs: int = 20
) -> KernelTimes:
    """Return the time of each kernel of a network in onnxruntime over a number of runs."""
    profiler = KernelProfiler(exported, batch=batch, threads=threads)
    for _ in range(runs):
        profiler()
    return profiler.times()


def _runs(events: Iterable[Mapping[str, Any]]) -> list[tuple[float, list[Mapping[str, Any]]]]:
    """Return the microseconds of each run, and the events of its kernels."""
    runs: list[tuple[float, list[Mapping[str, Any]]]] = []
    kernels: list[Mapping[str, Any]] = []
    for event in events:
        if event["cat"] == "Node" and event["name"].endswith(KERNEL):
            kernels.append(event)
        elif event["name"] == "model_run":
            runs.append((event["dur"], kernels))
            kernels = []
    return runs


def kernel_layers(exported: ExportedOnnx, kernels: list[str]) -> list[tuple[str, ...]]:
    """Return the nodes that each kernel computes, by the names of kernels in their order.

    An operator of the model without a kernel of its own was fused: a product into the kernel of
    what reads it, anything else into that of what it reads.
    """
    steps = list(exported.model.nodes)
    owners: dict[str, int] = {}
    for place, kernel in enumerate(kernels):
        for name in (kernel, bare := REWRITTEN.sub("", kernel), REWRITTEN.sub("", bare)):
            owners.setdefault(name, place)
    # onnxruntime names what it rewrites by what it computes, which at an output is no node's name.
    named = {step.name: owners.get(step.name, owners.get(step.output[0])) for step in steps}
    producer = {value: step for step in steps for value in step.output}
    readers: dict[str, Any] = {}
    for step in steps:
        for value in step.input:
            readers.setdefault(value, step)

    def behind(step: Any) -> int | None:
        """Return the kernel of the first reader of a value."""
        while step is not None and named[step.name] is None:
            step = readers.get(step.output[0])
            if step is not None and step.op_type in PRODUCTS and named[step.name] is None:
                return None
        return None if step is None else named[step.name]

    found: dict[str, int | None] = {}
    for step in steps:
        before = [found[producer[value].name] for value in step.input if value in producer]
        latest = max((place for place in before if place is not None), default=None)
        own = named[step.name]
        if own is None:
            own = behind(step) if step.op_type in PRODUCTS or latest is None else latest
        found[step.name] = own
    nodes = {step.name: step_layers(step, exported.graph) for step in steps}
    alone = {node for name, of in nodes.items() if named[name] is not None for node in of}
    layers: list[dict[str, None]] = [{} for _ in kernels]
    for name, of in nodes.items():
        at = found[name]
        if at is not None:
            # What is left of a node that has kernels was computed away, or is in one of them.
            kept = of if named[name] is not None else [node for node in of if node not in alone]
            layers[at].update(dict.fromkeys(kept))
    return [tuple(names) for names in layers]


def step_layers(step: Any, graph: Graph) -> list[str]:
    """Return the nodes of a graph that an operator of its model belongs to."""
    ends = {output.name: output.node for output in graph.outputs}
    values = [ends.get(value, value) for value in step.output]
    nodes = [value for value in values if value in graph.by_name]
    return nodes or [name for name in [step.name.partition("/")[0]] if name in graph.by_name]
