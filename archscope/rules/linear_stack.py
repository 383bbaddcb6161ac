"""ACT104."""

from __future__ import annotations

from archscope.ir import Node
from archscope.ops.conv import Conv
from archscope.ops.linear import Linear
from archscope.ops.reshape import Flatten
from archscope.rules.kinds import convolution, taps, transparent
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, rule


@rule("ACT104", "linear-stack")
class LinearStack(Rule, frozen=True, kw_only=True):
    """Two layers follow one another with nothing non-linear between them.

    Together they compute what one layer could: two convolutions of 3x3 in a row are one of 5x5.
    Not blamed are pairs that save something by being two: through fewer channels than both ends
    have (a factorisation of low rank, also the linear bottleneck), in groups or depthwise, or of
    windows along different axes such as 1x7 and 7x1.

    What helps: an activation between them, or one layer in place of both.
    """

    def check(self, network: Network) -> Findings:
        for node in network.conv_like:
            if not isinstance(node.op, Conv | Linear):
                continue
            first = network.before(node, _keeps_values)
            if not isinstance(first.op, Conv | Linear) or network.only_reader(first) is None:
                continue
            if not self._saves(first, node):
                yield self.finding(
                    network,
                    f"nothing non-linear lies between '{first.name}' and this:"
                    f" {first.ins[0][0]} -> {first.out[0]} -> {node.out[0]} channels"
                    " could be one layer",
                    node,
                    before=first.name,
                    channels=(first.ins[0][0], first.out[0], node.out[0]),
                )

    def _saves(self, first: Node, second: Node) -> bool:
        """Return whether two layers are cheaper than one that computes as much."""
        if first.out[0] < min(first.ins[0][0], second.out[0]):
            return True
        former, latter = convolution(first), convolution(second)
        if former is None or latter is None:
            return False
        if former.groups > 1 or latter.groups > 1:
            return True
        windows = zip(former.window(*first.ins), latter.window(*second.ins), strict=False)
        apart = any(min(a.kernel, b.kernel) == 1 < max(a.kernel, b.kernel) for a, b in windows)
        return apart and taps(first) > 1 and taps(second) > 1


def _keeps_values(node: Node) -> bool:
    return transparent(node) or isinstance(node.op, Flatten)
