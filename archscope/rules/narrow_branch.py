"""CHN103."""

from __future__ import annotations

from heapq import heappop, heappush

from archscope.ir import Graph, Node
from archscope.ops.merge import Add
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, rule


@rule("CHN103", "narrow-branch")
class NarrowBranch(Rule, frozen=True, kw_only=True):
    """A residual branch has a layer with so few channels that it can hardly change the sum.

    ratio: channels of the sum relative to the narrowest layer of the branch

    The output of a branch has no more independent channels than its narrowest layer. Bottlenecks
    narrow to a quarter; pruning can leave only 8 channels where the sum has hundreds, at the full
    cost in launches, and in memory access of the surrounding layers.

    A branch is reported if everything in it passes through a convolution or linear layer with so
    few channels, unlike a gate, and another operand of the sum passes no layer with weights.

    What helps: removing the branch, which a residual network tolerates better than the loss of any
    other layer (Veit et al. 2016 removed whole blocks from trained networks), or a `--min-width`
    when pruning.

    Source: rank(AB) <= min(rank A, rank B); Veit, Wilber, Belongie 2016, arXiv:1605.06431.
    """

    ratio: float = 16.0

    def check(self, network: Network) -> Findings:
        places = {node.name: place for place, node in enumerate(network.graph.nodes)}
        for node in network.graph.nodes:
            if not isinstance(node.op, Add):
                continue
            branches = _branches(network.graph, node, places)
            weighted = [list(filter(_has_weights, branch)) for branch in branches]
            if all(weighted):
                continue
            for layers, branch in zip(weighted, branches, strict=True):
                narrow = min(
                    (layer for layer in layers if branch[layer]),
                    key=lambda layer: layer.out[0],
                    default=None,
                )
                if narrow is None or self.ratio * narrow.out[0] > node.out[0]:
                    continue
                macs = sum(layer.facts.macs for layer in layers)
                yield self.finding(
                    network,
                    f"'{narrow.name}' leaves {narrow.out[0]} of {node.out[0]} channels to a branch"
                    f" that has {100 * macs / network.macs:.1f} % of the macs",
                    narrow,
                    weight=macs / network.macs,
                    channels=narrow.out[0],
                    channels_of_sum=node.out[0],
                    macs=macs,
                )


def _has_weights(node: Node) -> bool:
    return bool(node.facts.macs and node.facts.params)


def _branches(graph: Graph, end: Node, places: dict[str, int]) -> list[dict[Node, bool]]:
    """Return, for each operand of a node, the nodes between it and the common ancestor of all.

    Each node of a branch is mapped to whether everything in the branch passes through it. Empty if
    an operand has an input of the network for itself. `places` maps nodes to their positions.
    """
    reached: dict[str, int] = {}  # operands that a node leads to, as a bit mask
    waiting: list[tuple[int, str]] = []
    branches: list[dict[Node, bool]] = [{} for _ in end.inputs]

    def reach(name: str, operands: int) -> None:
        if name not in reached:
            heappush(waiting, (-places[name], name))
        reached[name] = reached.get(name, 0) | operands

    for bit, name in enumerate(end.inputs):
        reach(name, 1 << bit)
    # What several operands read belongs to no branch, and neither does what comes before it.
    while any(reached[name].bit_count() == 1 for _, name in waiting) and len(waiting) > 1:
        node = graph.by_name[heappop(waiting)[1]]
        if not node.inputs:
            return []
        operands = reached[node.name]
        if operands.bit_count() == 1:
            alone = not any(reached[name] & operands for _, name in waiting)
            branches[operands.bit_length() - 1][node] = alone
        for name in node.inputs:
            reach(name, operands)
    return branches
