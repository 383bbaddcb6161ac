"""CHN102."""

from __future__ import annotations

from archscope.rules.kinds import convolution, depthwise, grouped
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, rule


@rule("CHN102", "groups-without-shuffle")
class GroupsWithoutShuffle(Rule, frozen=True, kw_only=True):
    """Grouped convolutions follow each other with nothing that mixes the groups.

    Each group then sees only its own part of the channels from layer to layer: the network is
    several narrow ones side by side. A depthwise convolution or an activation in between does not
    change that; a channel shuffle or a dense 1x1 convolution does.

    What helps: `channel_shuffle: groups` in between, as in ShuffleNet.

    Source: Zhang et al. 2017, arXiv:1707.01083, figure 1.
    """

    def check(self, network: Network) -> Findings:
        for node in network.conv_like:
            op = convolution(node)
            if op is None or not grouped(node):
                continue
            found = network.before(node, lambda between: between.op.valuewise)
            while depthwise(found):
                found = network.before(found, lambda between: between.op.valuewise)
            before = convolution(found)
            if before is not None and grouped(found) and before.groups == op.groups:
                yield self.finding(
                    network,
                    f"convolution in {op.groups} groups follows '{found.name}' in as many,"
                    " with nothing in between that mixes them",
                    node,
                    groups=op.groups,
                    before=found.name,
                )
