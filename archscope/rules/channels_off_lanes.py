"""CHN101."""

from __future__ import annotations

from archscope.rules.kinds import convolution, depthwise
from archscope.rules.network import Network
from archscope.rules.rule import INFO, Findings, Rule, rule


@rule("CHN101", "channels-off-lanes")
class ChannelsOffLanes(Rule, frozen=True, kw_only=True):
    """A convolution has a number of channels that wastes lanes of vector units.

    multiple: what channel counts should be divisible by

    Processors work on 8 or 16 channels at a time (8 floats in AVX2, tiles of 8 in tensor cores),
    and a count in between is padded: 58 channels take the time of 64. Depthwise convolutions have
    the channels of their input and are not blamed; nor are layers with fewer channels than one
    lane, such as gates, or whose output leaves the network: their channels are its classes.

    This is worth knowing rather than wrong: ShuffleNetV2 itself has 58, 116 and 232 channels.

    What helps: `=divisible(width)`, MobileNet's rounding to a multiple of 8.

    Source: NVIDIA, "Optimizing convolutional layers", on tensor cores; MobileNetV2's code rounds
    channels to 8 for the same reason.
    """

    severity = INFO

    multiple: int = 8

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
                f"{op.out} channels are no multiple of {self.multiple}:"
                f" padded to {padded}, {100 * (padded - op.out) / padded:.0f} % of the lanes idle",
                node,
                weight=(padded - op.out) / padded,
                channels=op.out,
                padded=padded,
                idle=round((padded - op.out) / padded, 4),
            )

    def _leads_out(self, network: Network, name: str) -> bool:
        """Return whether a node's value leaves the network, at most pooled on its way."""
        graph = network.graph
        while name not in network.outputs:
            readers = network.readers[name]
            if len(readers) != 1 or graph.facts[readers[0]].params:
                return False
            (name,) = readers
        return True
