"""G1."""

from __future__ import annotations

from math import sqrt

from archscope.ir import Node
from archscope.rules.kinds import area, convolution, pointwise
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Guideline, Score, rule
from archscope.units import format_apart


@rule("G1", "unequal-channel-widths")
class UnequalChannelWidths(Guideline, frozen=True, kw_only=True):
    """1x1 convolutions change the number of channels, which costs memory access.

    limit: memory access of all 1x1 convolutions, relative to its lower bound
    share: share of the network's memory access that the excess must have to be reported

    A 1x1 convolution of c1 to c2 channels at h x w reads and writes hw(c1 + c2) + c1c2/g elements
    and does B = hw c1c2/g macs, with g groups. For the same macs, this is least when c1 = c2:
    2 sqrt(hw B g) + B/hw. A convolution of 1:4 moves up to 1.25 times as much, one of 1:6 1.43
    times. The paper measured networks of equal macs and ratio 1:12 at half the speed of 1:1.

    The threshold: ShuffleNetV2 is at 1.01, the networks that its paper criticises at 1.14 and more:
    ShuffleNetV1 with its 4:1 bottlenecks, MobileNetV2 with its inverted ones of 1:6. ResNet-50,
    also made of bottlenecks, is at 1.12. In a network over the limit, each 1x1 convolution over the
    limit is a finding. An excess below 1 % of the memory access of the whole network, such as that
    of a single odd projection, is not worth a change.

    What helps: equal widths within a block; fewer, wider blocks.

    Source: Ma et al. 2018, arXiv:1807.11164, guideline 1 and equation 1.
    """

    limit: float = 1.1
    share: float = 0.01

    def check(self, network: Network) -> Findings:
        score = self.score(network)
        if not score.broken:
            return
        for node in network.conv_like:
            if not pointwise(node):
                continue
            access, least = traffic(node, network.batch)
            ratio = access / least
            if ratio > self.limit:
                told = format_apart(score.value or 0.0, self.limit, 2)
                c1, c2 = node.ins[0][0], node.out[0]
                yield self.finding(
                    network,
                    f"1x1 convolution {c1} -> {c2} moves {ratio:.2f} times the least memory access"
                    f" of its macs (network {told}, limit {self.limit:g})",
                    node,
                    weight=access - least,
                    channels=(c1, c2),
                    memory_access=access,
                    least_memory_access=round(least),
                    ratio=round(ratio, 4),
                    network_ratio=score.value,
                )

    def score(self, network: Network) -> Score:
        pairs = [traffic(node, network.batch) for node in network.conv_like if pointwise(node)]
        access, bound = sum(access for access, _ in pairs), sum(least for _, least in pairs)
        value = round(access / bound, 4) if bound else None
        total = sum(network.access.values())
        broken = value is not None and value > self.limit and access - bound > self.share * total
        about = "memory access of 1x1 convolutions over its lower bound"
        return Score(self.code, value, self.limit, "x", broken, about)


def traffic(node: Node, batch: int = 1) -> tuple[int, float]:
    """Return the memory access of a 1x1 convolution in elements, and the minimum for its macs."""
    op = convolution(node)
    assert op is not None
    c1, c2, hw = node.ins[0][0], node.out[0], batch * area(node.out)
    weights = c1 * c2 // op.groups
    return hw * (c1 + c2) + weights, 2 * hw * sqrt(c1 * c2) + weights
