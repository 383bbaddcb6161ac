"""CHN101."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta

from archscope.rules.kinds import convolution, depthwise
from archscope.rules.network import Network
from archscope.rules.rule import INFO, Findings, Rule, rule


@rule("CHN101", "channels-off-lanes")
class ChannelsOffLanes(Rule, frozen=True, kw_only=True):
    """A convolution's number of channels leaves lanes of vector units idle.

    multiple: channel counts should be divisible by this

    Processors work on 8 or 16 channels at a time (8 floats in AVX2, tiles of 8 in tensor cores),
    and other counts are padded: 58 channels take as long as 64. Depthwise convolutions, which take
    over the channels of their input, are not reported; nor are layers with fewer channels than one
    multiple, such as gates, or layers whose output leaves the network: their channels are classes.

    This is a hint rather than an error: ShuffleNetV2 itself has 58, 116 and 232 channels.

    What helps: `=divisible(width)`, which rounds to a multiple of 8 as MobileNet does.

    Source: NVIDIA, "Optimizing convolutional layers", on tensor cores; MobileNetV2's code rounds
    channels to 8 for the same reason.
    """

    severity = INFO

    multiple: Annotated[int, Meta(ge=1)] = 8

    def check(self, network: Network) -> Findings:
        for node in network.conv_like:
            op = convolution(node)
            if op is None or depthwise(node) or not op.out % self.multiple:
                continue
            if op.out < self.multiple or self._leads_out(network, node.name):
                continue
            padded = -(-op.out // self.multiple) * self.multiple
            yield self.finding(
                network,
                f"{op.out} channels are not a multiple of {self.multiple}:"
                f" padded to {padded}, {100 * (padded - op.out) / padded:.0f} % of the lanes idle",
                node,
                weight=(padded - op.out) / padded,
                channels=op.out,
                padded=padded,
                idle=round((padded - op.out) / padded, 4),
            )

    def _leads_out(self, network: Network, name: str) -> bool:
        """Return whether a node's value leaves the network, at most pooled on the way."""
        graph = network.graph
        while name not in network.outputs:
            readers = network.readers[name]
            if len(readers) != 1 or graph.facts[readers[0]].params:
                return False
            (name,) = readers
        return True
