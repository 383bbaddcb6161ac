"""Additional costs that are sums over the segments of a network: flash and predicted latency.

What a segment adds may depend on the segment before: a runtime runs an activation in the kernel of
the convolution before it, and a batch norm is folded into its layer, even across segments. So each
segment receives a state that was left open and leaves one itself; tables and chains store it with
the shape of the feature map. Sums are integers, as counting requires.
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
"""Picoseconds per millisecond; the time of each segment is rounded to picoseconds."""

Open = Hashable
"""The state left open between two segments; None if there is none."""


class AdditiveCost(Protocol):
    """A cost of networks that is a sum over segments."""

    @property
    def name(self) -> str:
        """The key of the cost in `Costs`."""

    @property
    def key(self) -> Hashable:
        """A key that is equal for equal costs."""

    @property
    def per(self) -> int:
        """The integer in sums that stands for one unit of the metric."""

    @property
    def exact(self) -> bool:
        """Whether it really is a sum; if not, the exact cost needs the graph."""

    def of_graph(self, graph: Graph) -> float:
        """Return the cost of a whole network for inference, in the unit of the metric."""

    def of_part(self, graph: Graph, entering: Any) -> tuple[int, Open]:
        """Return the cost of a part of a network, and the state it leaves open.

        The part has one input, its first node, and one output.
        """

    def at_end(self, leaving: Any) -> int:
        """Return the cost added at the end of a network."""


class FlashCost:
    """The bytes of int8 weights in the flash of a microcontroller."""

    name, key, per, exact = "flash", "flash", 1, True

    def of_graph(self, graph: Graph) -> float:
        """Return the bytes of a network."""
        return flash_of(graph)

    def of_part(self, graph: Graph, entering: Any) -> tuple[int, Open]:
        """Return the bytes of a part; its last layer may still absorb a batch norm."""
        entry = graph.nodes[0]
        flash = flash_by_node(graph, () if entering is None else (entry.name,))
        added = sum(flash.values())
        if entering == "with biases":
            added -= flash[entry.name]  # already counted
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
        # A correction depends on the whole network, and so does whether the host is too slow.
        self.exact = profile.correction is None and profile.gpu is None

    def of_graph(self, graph: Graph) -> float:
        """Return the milliseconds of a network."""
        return predict(self.profile, graph).milliseconds

    def of_part(self, graph: Graph, entering: Any) -> tuple[int, Open]:
        """Return the picoseconds of a part, and the open kernel that later nodes may join."""
        made, leaving = kernels_of_part(graph, self.profile.fusion, entering)
        return self._picoseconds(made), leaving

    def at_end(self, leaving: Any) -> int:
        """Return the picoseconds of a kernel that no part has counted yet."""
        if not isinstance(leaving, OpenKernel) or not leaving.features:
            return 0
        return self._picoseconds([Kernel((), leaving.kind, leaving.features)])

    def _picoseconds(self, made: Iterable[Kernel]) -> int:
        return round(PICOSECONDS * sum(milliseconds(self.profile, kernel) for kernel in made))


SUMMED = {"flash": FlashCost}
"""Metrics that need a graph but are sums over segments."""
