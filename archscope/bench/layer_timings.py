"""Where does the time go? Every layer of a network, timed in place."""

from __future__ import annotations

import copy
from statistics import fmean, median
from typing import Any

import torch
from msgspec import Struct
from torch import nn

from archscope.analysis.cost import DTYPES, costs
from archscope.bench.bottleneck import BOUNDS, bound, least_seconds
from archscope.bench.prepare import Prepared
from archscope.bench.roofline import Roofline
from archscope.bench.timing import Clock
from archscope.build import Network
from archscope.ir import Shape


class LayerTiming(Struct, frozen=True):
    """One layer's part in the time of a network."""

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
    least_seconds: float  # that the roofline allows

    @property
    def of_roof(self) -> float:
        """The least time by the roofline over the time taken; above 1 thanks to caches."""
        return self.least_seconds / self.seconds


class LayerTimings(Struct, frozen=True):
    """All layers of a network, and what their sum leaves of a run.

    Means over the faster half of the runs: they add up, as medians would not, and leave out
    what disturbed the machine.
    """

    layers: tuple[LayerTiming, ...]
    whole_seconds: float  # of a run with a clock at every layer, so more than the latency
    sum_seconds: float  # of the layers
    between_seconds: float  # whole - sum: handing values on, freeing them, and the clock
    bound_seconds: dict[str, float]  # the sum by what bounds the layers
    runs: int


class Stopwatch:
    """Runs a twin of a network that shares its weights, and times each of its layers."""

    def __init__(self, prepared: Prepared, clock: Clock) -> None:
        network, self.inputs, self.clock = prepared.network, prepared.inputs, clock
        shared = (*network.parameters(), *network.buffers(), network.graph)
        self.twin: Network = copy.deepcopy(network, {id(name): name for name in shared})
        self.graph = network.graph.inference()
        self.names = [node.name for node in self.graph.nodes if node.inputs]
        self.gone = set(prepared.gone)
        self.runs: list[tuple[float, list[float]]] = []
        self.spent: list[float] = []
        self.start = 0.0
        # A shared module is hooked once and comes by once for each node.
        for module in dict.fromkeys(map(self.twin.part, self.names)):
            module.register_forward_pre_hook(self._before)
            module.register_forward_hook(self._after)

    def _before(self, module: nn.Module, values: Any) -> None:
        self.start = self.clock()

    def _after(self, module: nn.Module, values: Any, value: Any) -> None:
        self.spent.append(self.clock() - self.start)

    def __call__(self) -> None:
        """Run once and note what each layer took."""
        self.spent = []
        before = self.clock()
        with torch.inference_mode():
            self.twin(*self.inputs)
        self.runs.append((self.clock() - before, self.spent))

    def layers(self, batch: int, dtype: str, roof: Roofline) -> LayerTimings:
        """Return what each layer took, held against the roofline."""
        cost = costs(self.graph, batch)
        middle = median(whole for whole, _ in self.runs)
        fast = [(whole, spent) for whole, spent in self.runs if whole <= middle]
        whole = fmean(whole for whole, _ in fast)
        layers = []
        for name, *spent in zip(self.names, *(spent for _, spent in fast), strict=True):
            if name in self.gone:
                continue
            node = self.graph.by_name[name]
            seconds = fmean(spent)
            macs, moved = cost[name].macs, cost[name].memory_access * DTYPES[dtype]
            layers.append(
                LayerTiming(
                    name,
                    node.op.name,
                    node.out,
                    seconds,
                    seconds / whole,
                    macs,
                    moved,
                    macs / seconds / 1e9,
                    moved / seconds / 1e9,
                    macs / moved if moved else None,
                    bound(roof, macs, moved),
                    least_seconds(roof, macs, moved),
                )
            )
        total = sum(layer.seconds for layer in layers)
        by_bound = {
            name: sum(layer.seconds for layer in layers if layer.bound == name) for name in BOUNDS
        }
        return LayerTimings(tuple(layers), whole, total, whole - total, by_bound, len(fast))
