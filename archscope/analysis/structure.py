"""How is a network built: how deep, how wide, of how many pieces?"""

from __future__ import annotations

from msgspec import Struct

from archscope.ir import POINTWISE, Graph, Node, Storage


class BlockShape(Struct, frozen=True):
    """One instance of a block, with everything inside it."""

    scope: str
    fragments: int  # individual convolutions, poolings and matrix products
    width: int  # of them side by side, at most


class Structure(Struct, frozen=True):
    """The shape of a network as a graph."""

    depth: int  # layers with weights on the path that has most
    longest_path: int  # nodes on the longest path, the input not counted
    width: int  # fragments side by side at most: on the same level, counted from the input
    layers: int  # nodes, inputs not counted
    blocks: tuple[BlockShape, ...]


def structure(graph: Graph) -> Structure:
    """Return depth, longest path, width and the fragments of each block.

    A fragment is ShuffleNetV2's (arXiv:1807.11164, guideline 3): an individual convolution or
    pooling; matrix products are counted with them. The level of a fragment is the largest
    number of fragments on a way to it, and width is the largest number on one level.
    """
    depth: dict[str, int] = {}
    length: dict[str, int] = {}
    level: dict[str, int] = {}
    members: dict[str, list[int]] = {}
    for node in graph.nodes:
        name, inputs = node.name, node.inputs
        if not inputs:
            depth[name] = length[name] = level[name] = 0
            continue
        facts = node.facts
        fragment = is_fragment(node)
        weighted = facts.macs > 0 and facts.params > 0
        depth[name] = max([depth[one] for one in inputs]) + weighted
        length[name] = max([length[one] for one in inputs]) + 1
        level[name] = max([level[one] for one in inputs]) + fragment
        if fragment:
            scope = node.scope
            while True:
                members.setdefault(scope, []).append(level[name])
                if not scope:
                    break
                scope = scope.rpartition(".")[0]
    blocks = tuple(
        BlockShape(scope, len(levels), _most(levels)) for scope, levels in members.items() if scope
    )
    return Structure(
        depth=max(depth.values()),
        longest_path=max(length.values()),
        width=_most(members.get("", [])),
        layers=sum(bool(node.inputs) for node in graph.nodes),
        blocks=blocks,
    )


def is_fragment(node: Node) -> bool:
    """Return whether a node is a convolution, pooling or matrix product of its own."""
    facts = node.facts
    if facts.macs:
        return True
    return facts.window != POINTWISE and node.op.storage is not Storage.VIEW and bool(node.inputs)


def _most(levels: list[int]) -> int:
    counts: dict[int, int] = {}
    for level in levels:
        counts[level] = counts.get(level, 0) + 1
    return max(counts.values(), default=0)
