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
    """Two layers follow each other with nothing non-linear in between.

    Together they compute no more than one layer could: two 3x3 convolutions in a row are one 5x5
    convolution. Pairs that are cheaper than one layer are not reported: those with fewer channels
    in the middle than at both ends (a low-rank factorisation, such as the linear bottleneck),
    grouped or depthwise ones, and windows along different axes such as 1x7 and 7x1.

    What helps: an activation in between, or one layer in place of both.
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
                    f"nothing non-linear between '{first.name}' and this layer:"
                    f" {first.ins[0][0]} -> {first.out[0]} -> {node.out[0]} channels"
                    " could be one layer",
                    node,
                    before=first.name,
                    channels=(first.ins[0][0], first.out[0], node.out[0]),
                )

    def _saves(self, first: Node, second: Node) -> bool:
        """Return whether two layers are cheaper than the one layer that could replace them."""
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
