"""The structure of a network: its depth, its width and the fragments of its blocks."""

from __future__ import annotations

from functools import lru_cache

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
    places: dict[str, tuple[int, int, int]] = {}  # depth, length of the longest path, level
    members: dict[str, dict[int, int]] = {}  # fragments on each level, by scope
    for node, facts in zip(graph.nodes, graph.facts.values(), strict=True):
        inputs = node.inputs
        if not inputs:
            places[node.name] = 0, 0, 0
            continue
        depth, length, level = places[inputs[0]]
        for name in inputs[1:]:
            deep, long, high = places[name]
            depth, length, level = max(depth, deep), max(length, long), max(level, high)
        if facts.macs and facts.params:
            depth += 1
        if is_fragment(node, facts):
            level += 1
            levels = members.setdefault(node.scope, {})
            levels[level] = levels.get(level, 0) + 1
        places[node.name] = depth, length + 1, level
    members = _with_parents(members)
    depths, lengths, _ = zip(*places.values(), strict=True)
    blocks = tuple(
        BlockShape(scope, sum(levels.values()), max(levels.values()))
        for scope, levels in members.items()
        if scope
    )
    return Structure(
        depth=max(depths),
        longest_path=max(lengths),
        width=max(members.get("", {}).values(), default=0),
        layers=len(graph.nodes) - len(graph.inputs),
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
        for path in _scopes_from(scope):
            held = whole.setdefault(path, {})
            for level, count in levels.items():
                held[level] = held.get(level, 0) + count
    return whole


@lru_cache(maxsize=1 << 14)
def _scopes_from(scope: str) -> tuple[str, ...]:
    """Return a scope and those that it is in, up to the whole network."""
    return tuple(dict.fromkeys((scope, *scopes_of(scope), "")))
