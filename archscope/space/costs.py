"""The costs of candidate networks: a number for each metric that a budget can limit."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cached_property
from typing import Any

from archscope.analysis.cost import DTYPES, Sums, bytes_of, sums_of
from archscope.analysis.memory import peak_of
from archscope.analysis.microcontroller import flash_of, ram_of
from archscope.errors import SpecError
from archscope.ir import Graph
from archscope.metrics import METRICS, static_metrics
from archscope.space.additive_costs import AdditiveCost
from archscope.space.cost_tables import SUMS, CostTables
from archscope.space.decisions import Choices
from archscope.space.search_space import Space

Costs = dict[str, float]
"""Costs of a network for one image, by metric; bytes are for a dtype.

Latency predicted by a profile is `latency@PROFILE`.
"""


class _Counted:
    """The inputs of metrics: sums over a network, and values that need its graph, on demand."""

    def __init__(self, sums: Sums, dtype: str, graph: Graph | None = None) -> None:
        self.params, self.buffers, self.macs, self.memory_access, biases, read = sums
        self.weight_bytes = bytes_of(self.params + self.buffers, biases, dtype)
        self.memory_access_bytes = bytes_of(self.memory_access, read, dtype)
        self.element_bytes, self.graph = DTYPES[dtype], graph

    @cached_property
    def peak_activation_bytes(self) -> int:
        assert self.graph is not None, "metrics that need a graph must state it"
        return peak_of(self.graph) * self.element_bytes

    @cached_property
    def flash_bytes(self) -> int:
        assert self.graph is not None, "metrics that need a graph must state it"
        return flash_of(self.graph)

    @cached_property
    def ram_bytes(self) -> int:
        assert self.graph is not None, "metrics that need a graph must state it"
        return ram_of(self.graph)

    def costs(self) -> Costs:
        """Return the static metrics; without a graph, only those that need none."""
        return {
            metric.name: metric.of(self)
            for metric in static_metrics()
            if metric.of is not None and (self.graph is not None or not metric.needs_graph)
        }


def array_costs(
    sums: Any, dtype: str = "float32", extras: Sequence[AdditiveCost] = ()
) -> dict[str, Any]:
    """Return the metrics that need no graph as arrays, for sums of shape (networks, width).

    `extras` are those of the tables that the sums come from.
    """
    costs: dict[str, Any] = _Counted(sums.T[:SUMS], dtype).costs()
    for extra, column in zip(extras, sums.T[SUMS:], strict=False):
        costs[extra.name] = column if extra.per == 1 else column / extra.per
    return costs


def costs_of(graph: Graph, dtype: str = "float32") -> Costs:
    """Return the costs of a graph, without parts that serve only training."""
    graph = graph.inference()
    sums = sums_of(graph.nodes, graph.facts.values())
    return _Counted(sums, dtype, graph).costs()


def needs_graph(metrics: Iterable[str]) -> bool:
    """Return whether any of these metrics needs a graph, as peak memory does."""
    return any(METRICS[name].needs_graph for name in metrics)


class CostModel:
    """Computes and caches the costs of candidates of a space."""

    def __init__(
        self,
        space: Space,
        dtype: str = "float32",
        *,
        graphs: bool = False,
        extras: Sequence[AdditiveCost] = (),
    ) -> None:
        """Take a space; with `graphs`, the costs include metrics that need a graph.

        They also include `extras`, without a graph if these are sums and the space is a chain of
        segments.
        """
        self.space, self.dtype, self.extras = space, dtype, tuple(extras)
        self.summed = tuple(extra for extra in self.extras if extra.exact)
        self.graphs = graphs or len(self.summed) < len(self.extras)
        self.known: dict[tuple[Any, ...], Costs | None] = {}

    @property
    def tables(self) -> CostTables | None:
        """The costs of segments; None if the networks are not chains of segments."""
        return self.space.cost_tables_with(self.summed)

    def __call__(self, choices: Choices) -> Costs | None:
        """Return the costs of a candidate, or None if its choices make no network."""
        return self.masked(self.space.masked(choices))

    def masked(self, choices: dict[str, Any]) -> Costs | None:
        """Return the costs of choices that come from `Space.masked`."""
        key = tuple(choices.values())
        if key not in self.known:
            try:
                self.known[key] = self._costs(choices)
            except SpecError:
                self.known[key] = None
        return self.known[key]

    def _costs(self, choices: dict[str, Any]) -> Costs:
        sums = self.tables.sums(choices) if self.tables and not self.graphs else None
        if sums is None:
            graph = self.space.graph(choices).inference()
            counted = _Counted(sums_of(graph.nodes), self.dtype, graph if self.graphs else None)
            return {
                **counted.costs(),
                **{extra.name: extra.of_graph(graph) for extra in self.extras},
            }
        # Faster, as it needs no graph.
        costs = _Counted(sums[:SUMS], self.dtype).costs()
        for extra, value in zip(self.extras, sums[SUMS:], strict=True):
            costs[extra.name] = value if extra.per == 1 else value / extra.per
        return costs
