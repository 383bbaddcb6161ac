"""NRM102."""

from __future__ import annotations

from archscope.analysis.structure import structure
from archscope.ir import Node
from archscope.ops.response_norm import LocalResponseNorm
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, rule


@rule("NRM102", "deep-plain-network")
class DeepPlainNetwork(Rule, frozen=True, kw_only=True):
    """A deep network has neither shortcuts nor normalisation.

    depth: a network is deep with more layers with weights than this on its longest path

    Deep plain networks train worse than shallower ones, even on the training set. A shortcut
    (addition or concatenation of branches) or a normalisation keeps gradients alive. Local response
    normalisation does not count.

    The threshold: VGG's authors trained 11 layers from scratch, and initialised the deeper networks
    of 13 to 19 layers with these.

    What helps: batchnorm after convolutions, residual blocks.

    Source: Simonyan and Zisserman 2014, arXiv:1409.1556, section 3.1; He et al. 2015,
    arXiv:1512.03385, figure 1.
    """

    depth: int = 11

    def check(self, network: Network) -> Findings:
        nodes = network.graph.nodes
        if any(_helps(node) for node in nodes):
            return
        depth = structure(network.graph).depth
        if depth > self.depth:
            yield self.finding(
                network,
                f"{depth} layers with weights in a row, without shortcut or normalisation"
                f" (limit {self.depth})",
                depth=depth,
            )


def _helps(node: Node) -> bool:
    """Return whether a layer keeps gradients alive: a normalisation or a shortcut."""
    norm = node.op.normalises and not isinstance(node.op, LocalResponseNorm)
    return norm or len(node.inputs) > 1
