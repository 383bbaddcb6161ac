"""The structure of a network: its depth, its width and the fragments of its blocks."""

from __future__ import annotations

from msgspec import Struct

from archscope.ir import POINTWISE, Facts, Graph, Node, Storage
from archscope.scopes import scopes_of


class BlockShape(Struct, frozen=True, gc=False):
    """An instance of a block, with everything inside it."""

    scope: str
    fragments: int  # individual convolutions, poolings and matrix products
    width: int  # the most fragments on one level


class Structure(Struct, frozen=True):
    """The shape of a network as a graph."""

    depth: int  # the most layers with weights on a path
    longest_path: int  # nodes on the longest path, without the input
    width: int  # the most fragments on one level, counted from the input
    layers: int  # nodes, without inputs
    blocks: tuple[BlockShape, ...]


def structure(graph: Graph) -> Structure:
    """Return depth, longest path, width and the fragments of each block.

    A fragment is an individual convolution or pooling, as in ShuffleNetV2 (arXiv:1807.11164,
    guideline 3), or a matrix product. The level of a fragment is the largest number of fragments
    on a path to it, and width is the largest number of fragments on one level.
    """
    depth: dict[str, int] = {}
    length: dict[str, int] = {}
    level: dict[str, int] = {}
    members: dict[str, dict[int, int]] = {}  # fragments on each level, by scope
    for node, facts in zip(graph.nodes, graph.facts.values(), strict=True):
        name, inputs = node.name, node.inputs
        if not inputs:
            depth[name] = length[name] = level[name] = 0
            continue
        if len(inputs) == 1:
            (source,) = inputs
            deep, long, high = depth[source], length[source], level[source]
        else:
            deep = max([depth[name] for name in inputs])
            long = max([length[name] for name in inputs])
            high = max([level[name] for name in inputs])
        depth[name] = deep + (facts.macs > 0 and facts.params > 0)
        length[name] = long + 1
        level[name] = high
        if is_fragment(node, facts):
            level[name] = high + 1
            levels = members.setdefault(node.scope, {})
            levels[high + 1] = levels.get(high + 1, 0) + 1
    members = _with_parents(members)
    blocks = tuple(
        BlockShape(scope, sum(levels.values()), max(levels.values()))
        for scope, levels in members.items()
        if scope
    )
    return Structure(
        depth=max(depth.values()),
        longest_path=max(length.values()),
        width=max(members.get("", {}).values(), default=0),
        layers=sum(bool(node.inputs) for node in graph.nodes),
        blocks=blocks,
    )


def is_fragment(node: Node, facts: Facts) -> bool:
    """Return whether a node is a convolution, pooling or matrix product of its own."""
    if facts.macs:
        return True
    return facts.window != POINTWISE and node.op.storage is not Storage.VIEW


def _with_parents(members: dict[str, dict[int, int]]) -> dict[str, dict[int, int]]:
    """Return the levels of each scope, including the scopes inside it; '' is the whole network."""
    whole: dict[str, dict[int, int]] = {}
    for scope, levels in members.items():
        for path in dict.fromkeys((scope, *scopes_of(scope), "")):
            held = whole.setdefault(path, {})
            for level, count in levels.items():
                held[level] = held.get(level, 0) + count
    return whole
