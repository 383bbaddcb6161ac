"""Where does the time go? Every layer of a network, timed in place."""

from __future__ import annotations

import copy
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from msgspec import Struct
from torch import nn

from archscope.analysis.cost import DTYPES, costs
from archscope.bench.bound import BOUNDS, bound, least_seconds
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
    median_seconds: float
    share: float  # of the whole network's latency
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
        return self.least_seconds / self.median_seconds


class LayerTimings(Struct, frozen=True):
    """All layers of a network, and what their sum leaves of its latency."""

    layers: tuple[LayerTiming, ...]
    sum_seconds: float
    between_seconds: float  # latency - sum; negative where timing layers costs more than that
    bound_seconds: dict[str, float]  # by what bounds the layers


class Stopwatch:
    """Runs a twin of a network that shares its weights, and times each of its layers."""

    def __init__(self, prepared: Prepared, clock: Clock) -> None:
        network, self.inputs, self.clock = prepared.network, prepared.inputs, clock
        shared = (*network.parameters(), *network.buffers(), network.graph)
        self.twin: Network = copy.deepcopy(network, {id(one): one for one in shared})
        self.graph = network.graph.inference()
        self.names = [node.name for node in self.graph.nodes if node.inputs]
        self.gone = set(prepared.gone)
        self.runs: list[list[float]] = []
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
        with torch.inference_mode():
            self.twin(*self.inputs)
        self.runs.append(self.spent)

    def layers(self, whole_seconds: float, batch: int, dtype: str, roof: Roofline) -> LayerTimings:
        """Return the medians of all runs, held against the latency and the roofline."""
        cost = costs(self.graph, batch)
        layers = []
        for name, *spent in zip(self.names, *self.runs, strict=True):
            if name in self.gone:
                continue
            node = self.graph.by_name[name]
            seconds = median(spent)
            macs, moved = cost[name].macs, cost[name].memory_access * DTYPES[dtype]
            layers.append(
                LayerTiming(
                    name,
                    node.op.name,
                    node.out,
                    seconds,
                    seconds / whole_seconds,
                    macs,
                    moved,
                    macs / seconds / 1e9,
                    moved / seconds / 1e9,
                    macs / moved if moved else None,
                    bound(roof, macs, moved),
                    least_seconds(roof, macs, moved),
                )
            )
        total = sum(layer.median_seconds for layer in layers)
        by_bound = {
            name: sum(layer.median_seconds for layer in layers if layer.bound == name)
            for name in BOUNDS
        }
        return LayerTimings(tuple(layers), total, whole_seconds - total, by_bound)


