"""ACT101."""

from __future__ import annotations

from archscope.ops.activation import ReLU, ReLU6
from archscope.rules.kinds import depthwise, pointwise
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, rule


@rule("ACT101", "relu-on-bottleneck")
class ReluOnBottleneck(Rule, frozen=True, kw_only=True):
    """ReLU follows the narrow projection of an inverted bottleneck.

    ratio: channels of the depthwise convolution relative to those of the projection

    ReLU sets half of its values to zero. Among many channels the information survives in others;
    among few it is lost: MobileNetV2 measured that linear narrow ends of its blocks are better than
    ReLU there.

    A bottleneck is reported if a 1x1 convolution after a depthwise one reduces the channels by the
    ratio or more, and ReLU or ReLU6 comes next.

    What helps: no activation after the projection.

    Source: Sandler et al. 2018, arXiv:1801.04381, section 3.2 and figure 6a.
    """

    ratio: float = 2.0

    def check(self, network: Network) -> Findings:
        for node in network.graph.nodes:
            if not isinstance(node.op, ReLU | ReLU6):
                continue
            narrow = network.before(node)
            if not pointwise(narrow) or narrow.ins[0][0] < self.ratio * narrow.out[0]:
                continue
            wide = network.before(narrow)
            while isinstance(wide.op, ReLU | ReLU6):
                wide = network.before(wide)
            if depthwise(wide):
                yield self.finding(
                    network,
                    f"{node.op.name} on {narrow.out[0]} channels,"
                    f" reduced from {narrow.ins[0][0]} by '{narrow.name}'",
                    node,
                    channels=narrow.out[0],
                    channels_before=narrow.ins[0][0],
                )
