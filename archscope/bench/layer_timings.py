"""The time of every layer of a network, measured while the whole network runs."""

from __future__ import annotations

import copy
from statistics import fmean, median
from typing import Any

import torch
from msgspec import Struct
from torch import nn

from archscope.analysis.cost import DTYPES, costs
from archscope.bench.prepare import Prepared
from archscope.bench.roofline import BOUNDS, Roofline
from archscope.bench.timing import Clock
from archscope.build import Network
from archscope.ir import Shape

LEAST_SECONDS = 1e-9
"""The time of a layer that a coarse clock does not see, as rates are of it."""


class LayerTiming(Struct, frozen=True):
    """The time of one layer in a run of the network."""

    name: str
    op: str
    out: Shape
    seconds: float
    share: float  # of the whole run
    macs: int  # of the batch
    memory_access_bytes: int
    gmacs_per_second: float
    gbytes_per_second: float
    macs_per_byte: float | None  # None where nothing is read or written
    bound: str  # compute, memory or overhead
    least_seconds: float  # minimum by the roofline
    fused: tuple[str, ...] = ()  # other layers that the runtime computes together with it
    kernels: tuple[str, ...] = ()  # of the runtime, if it reports them

    @property
    def of_roof(self) -> float:
        """The least time by the roofline over the time taken; caches may lift it above 1."""
        return self.least_seconds / self.seconds


def layer_timing(
    name: str,
    op: str,
    out: Shape,
    seconds: float,
    whole: float,
    macs: int,
    moved: int,
    roof: Roofline,
    *,
    fused: tuple[str, ...] = (),
    kernels: tuple[str, ...] = (),
) -> LayerTiming:
    """Compare the time of a layer with the roofline, for `whole` seconds and `moved` bytes."""
    seconds, whole = max(seconds, LEAST_SECONDS), max(whole, LEAST_SECONDS)
    bound, least_seconds = roof.bottleneck(macs, moved)
    return LayerTiming(
        name=name,
        op=op,
        out=out,
        seconds=seconds,
        share=seconds / whole,
        macs=macs,
        memory_access_bytes=moved,
        gmacs_per_second=macs / seconds / 1e9,
        gbytes_per_second=moved / seconds / 1e9,
        macs_per_byte=macs / moved if moved else None,
        bound=bound,
        least_seconds=least_seconds,
        fused=fused,
        kernels=kernels,
    )


class LayerTimings(Struct, frozen=True):
    """The time of all layers of a network, and the time between them.

    Means over the faster half of the runs: means add up, as medians do not, and the slower half
    is where other work disturbed the machine.
    """

    layers: tuple[LayerTiming, ...]
    whole_seconds: float  # of a run with clocks around every layer, thus above the latency
    sum_seconds: float  # of the layers
    between_seconds: float  # whole - sum: passing values on, freeing them, and the clock
    bound_seconds: dict[str, float]  # the sum, split by the bound of the layers
    runs: int
    other_seconds: float = 0.0  # of the time between: kernels that compute no layer


class Stopwatch:
    """Runs a copy of a network that shares its weights, and times each layer."""

    def __init__(self, prepared: Prepared, clock: Clock) -> None:
        network, self.inputs, self.clock = prepared.network, prepared.inputs, clock
        shared = (*network.parameters(), *network.buffers(), network.graph)
        self.twin: Network = copy.deepcopy(network, {id(name): name for name in shared})
        self.graph = network.graph.inference()
        self.names = [node.name for node in self.graph.nodes if node.inputs]
        self.runs: list[tuple[float, list[float]]] = []
        self.spent: list[float] = []
        self.start = 0.0
        # A shared module has one hook, which is called once for each of its nodes.
        for module in dict.fromkeys(map(self.twin.part, self.names)):
            module.register_forward_pre_hook(self._before)
            module.register_forward_hook(self._after)

    def _before(self, module: nn.Module, values: Any) -> None:
        self.start = self.clock()

    def _after(self, module: nn.Module, values: Any, value: Any) -> None:
        self.spent.append(self.clock() - self.start)

    def __call__(self) -> None:
        """Run once and record the time of each layer."""
        self.spent = []
        before = self.clock()
        with torch.inference_mode():
            self.twin(*self.inputs)
        self.runs.append((self.clock() - before, self.spent))

    def medians(self) -> list[tuple[str, float]]:
        """Return the median seconds of each layer by its name; they do not add up to a run."""
        runs = [spent for _, spent in self.runs]
        return [(name, median(spent)) for name, *spent in zip(self.names, *runs, strict=True)]

    def layers(self, batch: int, dtype: str, roof: Roofline) -> LayerTimings:
        """Return the time of each layer, compared with the roofline."""
        cost = costs(self.graph, batch)
        middle = median(whole for whole, _ in self.runs)
        fast = [(whole, spent) for whole, spent in self.runs if whole <= middle]
        whole = fmean(whole for whole, _ in fast)
        layers = []
        for name, *spent in zip(self.names, *(spent for _, spent in fast), strict=True):
            node = self.graph.by_name[name]
            seconds = fmean(spent)
            macs, moved = cost[name].macs, cost[name].memory_access * DTYPES[dtype]
            layer = layer_timing(name, node.op.name, node.out, seconds, whole, macs, moved, roof)
            layers.append(layer)
        total = sum(layer.seconds for layer in layers)
        by_bound = {
            name: sum(layer.seconds for layer in layers if layer.bound == name) for name in BOUNDS
        }
        return LayerTimings(tuple(layers), whole, total, whole - total, by_bound, len(fast))
