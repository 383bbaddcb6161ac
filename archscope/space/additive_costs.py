"""Costs that are sums over the segments of a network, beyond the sums that every segment has.

What a segment adds may depend on what is left open before it: a runtime runs an activation in the
kernel of the convolution before, and a batch norm is folded into its layer, whatever segments they
are in. So a segment is entered with what is open, and leaves something open itself, which tables
and chains keep beside the shape of the feature map. Sums are of whole numbers, as counting needs.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any, Protocol

from archscope.analysis.microcontroller import flash_by_node, flash_of
from archscope.ir import Graph
from archscope.latency.kernels import Kernel, OpenKernel, kernels_of_part
from archscope.latency.predict import milliseconds, predict
from archscope.latency.profile import Profile

PICOSECONDS = 10**9
"""In a millisecond, to which the time of each segment is rounded."""

Open = Hashable
"""What is left open between two segments; None is nothing."""


class AdditiveCost(Protocol):
    """A cost of networks that is a sum over segments."""

    @property
    def name(self) -> str:
        """The key of the cost in `Costs`."""

    @property
    def key(self) -> Hashable:
        """What is equal where the costs are."""

    @property
    def per(self) -> int:
        """How many of the whole numbers in sums one of the unit of the metric is."""

    @property
    def exact(self) -> bool:
        """Whether it really is a sum; if not, only the graph says it."""

    def of_graph(self, graph: Graph) -> float:
        """Return the cost of a whole network for inference, in the unit of the metric."""

    def of_part(self, graph: Graph, entering: Any) -> tuple[int, Open]:
        """Return what a part of a network adds, and what it leaves open.

        The part has one input, its first node, and one output.
        """

    def at_end(self, leaving: Any) -> int:
        """Return what is added where a network ends."""


class FlashCost:
    """The bytes of int8 weights in the flash of a microcontroller."""

    name, key, per, exact = "flash", "flash", 1, True

    def of_graph(self, graph: Graph) -> float:
        """Return the bytes of a network."""
        return flash_of(graph)

    def of_part(self, graph: Graph, entering: Any) -> tuple[int, Open]:
        """Return the bytes of a part; a layer is open to a batch norm, with biases or without."""
        entry = graph.nodes[0]
        flash = flash_by_node(graph, () if entering is None else (entry.name,))
        added = sum(flash.values())
        if entering == "with biases":
            added -= flash[entry.name]  # they are counted already
        end = graph.by_name[graph.main.node]
        if any(end.name in node.inputs for node in graph.nodes):
            return added, None
        if end is entry:
            return added, entering
        if not end.op.absorbs_scale or end.new_params is not None:
            return added, None
        return added, "with biases" if end.facts.biases else "without biases"

    def at_end(self, leaving: Any) -> int:
        """Return nothing."""
        return 0


class LatencyCost:
    """The milliseconds that a profile predicts for one image, in picoseconds."""

    per = PICOSECONDS

    def __init__(self, name: str, profile: Profile) -> None:
        self.name, self.profile = name, profile
        self.key = name, profile.checksum
        self.exact = profile.correction is None  # which depends on the whole network

    def of_graph(self, graph: Graph) -> float:
        """Return the milliseconds of a network."""
        return predict(self.profile, graph).milliseconds

    def of_part(self, graph: Graph, entering: Any) -> tuple[int, Open]:
        """Return the picoseconds of a part, and the kernel that later nodes may join."""
        made, leaving = kernels_of_part(graph, self.profile.fusion, entering)
        return self._picoseconds(made), leaving

    def at_end(self, leaving: Any) -> int:
        """Return the picoseconds of a kernel that is in no part yet."""
        if not isinstance(leaving, OpenKernel) or not leaving.features:
            return 0
        return self._picoseconds([Kernel((), leaving.kind, leaving.features)])

    def _picoseconds(self, made: Iterable[Kernel]) -> int:
        return round(PICOSECONDS * sum(milliseconds(self.profile, kernel) for kernel in made))


SUMMED = {"flash": FlashCost}
"""Metrics that take a graph to know but are sums over segments."""
