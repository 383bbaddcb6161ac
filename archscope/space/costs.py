"""What a candidate costs, in the numbers that a budget may limit."""

from __future__ import annotations

from typing import Any

from msgspec import Struct

from archscope.analysis.cost import DTYPES
from archscope.analysis.memory import peak_of
from archscope.errors import SpecError
from archscope.ir import Graph
from archscope.language.block_cache import sums_of
from archscope.space.search_space import Choices, Space

MACS, PARAMS, ACCESS, PEAK, WEIGHTS = "macs", "params", "access", "peak", "weights"
STATIC = (MACS, PARAMS, WEIGHTS, ACCESS, PEAK)
"""Costs that are known without running anything, for one image at the input of the spec."""
IN_BYTES = (WEIGHTS, ACCESS, PEAK)


class Costs(Struct, frozen=True, gc=False):
    """The costs of one network for one image; bytes are for a dtype."""

    macs: int
    params: int
    weights: int  # bytes of params and buffers
    access: int  # bytes read and written
    peak: int | None = None  # bytes of feature maps alive at once, where it was asked for


def costs_of(graph: Graph, dtype: str = "float32", peak: bool = True) -> Costs:
    """Return the costs of a graph without what serves only training."""
    graph = graph.inference()
    params, buffers, macs, access = sums_of(graph.nodes, graph.facts.values())
    size = DTYPES[dtype]
    highest = peak_of(graph) * size if peak else None
    return Costs(macs, params, (params + buffers) * size, access * size, highest)


class Evaluator:
    """Tells the costs of candidates of one space, and keeps what it told."""

    def __init__(self, space: Space, dtype: str = "float32", peak: bool = False) -> None:
        self.space, self.dtype, self.peak = space, dtype, peak
        self.known: dict[tuple[Any, ...], Costs | None] = {}

    def __call__(self, choices: Choices) -> Costs | None:
        """Return the costs of a candidate, or None if its values make no network.

        Without `peak` they are summed up, which is quicker than a graph is made.
        """
        return self.masked(self.space.masked(choices))

    def masked(self, choices: dict[str, Any]) -> Costs | None:
        """Return the costs of choices that `Space.masked` has made."""
        key = tuple(choices.values())
        if key not in self.known:
            try:
                self.known[key] = self._costs(choices)
            except SpecError:
                self.known[key] = None
        return self.known[key]

    def _costs(self, choices: dict[str, Any]) -> Costs:
        if self.peak:
            return costs_of(self.space.graph(choices), self.dtype)
        params, buffers, macs, access = self.space.sums(choices)
        size = DTYPES[self.dtype]
        return Costs(macs, params, (params + buffers) * size, access * size)
