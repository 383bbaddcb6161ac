"""CST104."""

from __future__ import annotations

from archscope.rules.kinds import area
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, rule


@rule("CST104", "heavy-stem")
class HeavyStem(Rule, frozen=True, kw_only=True):
    """Layers at full input resolution do too much of the work.

    share: share of the macs that layers at full resolution may have
    positions: inputs with fewer positions are small, and not reported

    A convolution at 224x224 costs sixteen times as much as at 56x56, for features as simple as
    edges. Networks for images of this size shrink them by 4 in their first layers; VGG16 does 12 %
    of its macs before its first pooling.

    What helps: stride 2 in the first convolution, and pooling after it.

    Source: Szegedy et al. 2015, arXiv:1512.00567, section 2; He et al. 2018, arXiv:1812.01187, on
    the stem.
    """

    share: float = 0.1
    positions: int = 128 * 128

    def check(self, network: Network) -> Findings:
        graph = network.graph
        size = max((area(node.out) for node in graph.inputs), default=1)
        if size < self.positions:
            return
        stem = [node for node in network.conv_like if area(node.out) >= size]
        macs = sum(graph.facts[node.name].macs for node in stem)
        if macs > self.share * network.macs:
            heaviest = max(stem, key=lambda node: graph.facts[node.name].macs)
            yield self.finding(
                network,
                f"{100 * macs / network.macs:.0f} % of the macs are done at full input resolution,"
                f" most by '{heaviest.name}' (limit {100 * self.share:.0f} %)",
                heaviest,
                macs=macs,
                share=round(macs / network.macs, 4),
            )
