"""CST102."""

from __future__ import annotations

from archscope.rules.kinds import convolution, depthwise, taps
from archscope.rules.network import Network
from archscope.rules.rule import INFO, Findings, Rule, rule


@rule("CST102", "large-kernel")
class LargeKernel(Rule, frozen=True, kw_only=True):
    """A dense convolution has a large window, which stacked 3x3 convolutions would cover for less.

    kernel: side of the largest window that is not reported

    Two 3x3 convolutions see 5x5 with 18 C^2 weights instead of 25 C^2; three see 7x7 with 27 C^2
    instead of 49 C^2, and leave room for activations in between. Layers that read the input of the
    network are not reported, as their few channels make them cheap, nor are depthwise ones, whose
    window costs little.

    What helps: 3x3 convolutions with activations, or a 1xk and a kx1 convolution.

    Source: Simonyan and Zisserman 2014, arXiv:1409.1556, section 2.3; Szegedy et al. 2015,
    arXiv:1512.00567, section 3.
    """

    severity = INFO

    kernel: int = 3

    def check(self, network: Network) -> Findings:
        first = {node.name for node in network.graph.inputs}
        for node in network.conv_like:
            op = convolution(node)
            if op is None or depthwise(node) or set(node.inputs) & first:
                continue
            sides = {window.kernel for window in op.window(*node.ins)}
            side = min(sides)
            if side <= self.kernel or len(sides) > 1 or side % 2 == 0 or len(node.out) != 3:
                continue
            stacked = (side - 1) // 2
            yield self.finding(
                network,
                f"{side}x{side} convolution: {stacked} of 3x3 see as much with"
                f" {9 * stacked}/{taps(node)} of the weights at equal widths",
                node,
                weight=side,
                kernel=side,
                stacked=stacked,
                share=round(9 * stacked / taps(node), 4),
            )
