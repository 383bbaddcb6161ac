"""CST103."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from archscope.analysis.memory import memory
from archscope.rules.kinds import area
from archscope.rules.network import Network
from archscope.rules.rule import INFO, Findings, Rule, rule


@rule("CST103", "early-layers-hold-memory")
class EarlyMemory(Rule, frozen=True, kw_only=True):
    """The first layers hold most of the memory of feature maps.

    share: share of the feature maps that the first layers may hold
    stride: layers down to this fraction of the input's resolution count as the first

    Feature maps at full and half resolution are few but large: they limit the batch that can be
    trained, while most parameters are in the last layers. CS231n's table of VGG16 shows both.

    What helps: a stem that reduces the resolution sooner.

    Source: CS231n, "Convolutional networks: layer sizing".
    """

    severity = INFO

    share: float = 0.5
    stride: Annotated[int, Meta(ge=1)] = 2

    def check(self, network: Network) -> Findings:
        graph = network.graph
        size = max((area(node.out) for node in graph.inputs), default=1)
        rank = max((len(node.out) - 1 for node in graph.inputs), default=0)
        least = size / self.stride**rank
        if size < SMALL:
            return
        held = total = 0
        for node in graph.nodes:
            if node.inputs and node.op.storage.value == "new":
                total += node.facts.elements
                held += node.facts.elements if area(node.out) >= least else 0
        if total and held > self.share * total:
            yield self.finding(
                network,
                f"{100 * held / total:.0f} % of the feature maps ({held:,} of {total:,} elements)"
                f" have at least 1/{self.stride} of the input's resolution",
                elements=held,
                total_elements=total,
                share=round(held / total, 4),
                peak=memory(graph).peak_node,
            )


SMALL = 128 * 128
"""Inputs with fewer positions are too small for the stem to matter."""
