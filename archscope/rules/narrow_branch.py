"""CHN103."""

from __future__ import annotations

from heapq import heappop, heappush

from archscope.ir import Graph, Node
from archscope.ops.merge import Add
from archscope.rules.network import Network
from archscope.rules.rule import Findings, Rule, rule


@rule("CHN103", "narrow-branch")
class NarrowBranch(Rule, frozen=True, kw_only=True):
    """A residual branch passes through so few channels that it can hardly change the sum.

    ratio: channels of the sum over those of the narrowest layer of the branch

    What a branch adds has no more independent channels than its narrowest layer. Bottlenecks
    narrow to a quarter; pruning can leave a single lane of 8 channels where the sum has hundreds,
    at the full price in launches, and in memory access of the layers around.

    A branch is blamed if all of it passes through a convolution or linear layer of so few channels,
    which no gate does, and another operand of the sum goes by without any layer that has weights.

    What helps: no such branch, which a residual network bears best of all layers (Veit et al. 2016
    removed whole blocks from trained ones), or a `--min-width` when pruning.

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
    """Return for each operand of a node what lies between it and the value that all come from.

    The nodes of a branch come with whether everything in it passes through them. Empty where the
    operands come from several inputs of the network. `places` are those of the nodes.
    """
    reached: dict[str, int] = {}  # operands that a node leads to, as bits
    waiting: list[tuple[int, str]] = []
    branches: list[dict[Node, bool]] = [{} for _ in end.inputs]

    def reach(name: str, operands: int) -> None:
        if name not in reached:
            heappush(waiting, (-places[name], name))
        reached[name] = reached.get(name, 0) | operands

    for bit, name in enumerate(end.inputs):
        reach(name, 1 << bit)
    while len(waiting) > 1:  # the last is where all begin
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
