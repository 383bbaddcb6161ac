"""Find the building blocks of a network, and count the fragments of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import takewhile

from msgspec import Struct

from archscope.analysis.structure import is_fragment
from archscope.ir import Graph, Node
from archscope.scopes import scopes_of


class BuildingBlock(Struct, frozen=True, gc=False):
    """A building block: the part between two values that every path passes through."""

    scope: str  # the innermost block of the spec that holds it
    end: str  # the node at which its branches have merged
    fragments: int  # individual convolutions, poolings and matrix products
    branches: int  # the most fragments on one level, counted from its entry


def building_blocks(graph: Graph) -> tuple[BuildingBlock, ...]:
    """Return the building blocks of a graph, in order: the parts in which branches merge.

    ShuffleNetV2 (arXiv:1807.11164, guideline 3) counts the fragments of a building block without
    defining where a block ends. Where blocks overlap, as in cells that read the two cells before
    them, each instance of a spec's block that merges branches counts as a building block.
    """
    return tuple(_blocks(graph, graph.nodes))


def _blocks(graph: Graph, nodes: Sequence[Node]) -> Iterator[BuildingBlock]:
    for part in _between_cuts(nodes):
        merges = {node.scope for node in part if len(node.inputs) > 1}
        if not merges:
            continue
        outermost = _outermost(merges - {""})
        if len(outermost) > 1 or (outermost and not part[0].inputs):
            for scope in outermost:
                inside = f"{scope}."
                yield from _blocks(graph, [node for node in part if node.name.startswith(inside)])
        elif sum(not node.inputs for node in part) < 2:  # several inputs: towers, not branches
            yield _block(graph, part)


def _between_cuts(nodes: Sequence[Node]) -> Iterator[list[Node]]:
    """Yield the runs of nodes that end at a node which no connection bypasses.

    As the nodes are in topological order, every path passes through such a node.
    """
    number = {node.name: i for i, node in enumerate(nodes)}
    last = [-1] * (len(nodes) + 1)  # the last reader of each; the final entry is for outside values
    for i, node in enumerate(nodes):
        for name in node.inputs:
            last[number.get(name, -1)] = i
    part: list[Node] = []
    entries = [i for i, node in enumerate(nodes) if not node.inputs]
    furthest = max(last[-1], entries[-1] + 1) if len(entries) > 1 else last[-1]
    for i, node in enumerate(nodes):
        part.append(node)
        if furthest <= i:
            yield part
            part = []
        furthest = max(furthest, last[i])
    if part:
        yield part


def _outermost(scopes: set[str]) -> list[str]:
    """Return the scopes that are not nested in others of the set, sorted."""
    return sorted(scope for scope in scopes if scopes.isdisjoint(scopes_of(scope)))


def _block(graph: Graph, part: Sequence[Node]) -> BuildingBlock:
    level: dict[str, int] = {}
    count: Counter[int] = Counter()
    for node in part:
        high = max((level.get(name, 0) for name in node.inputs), default=0)
        if is_fragment(node, graph.facts[node.name]):
            high += 1
            count[high] += 1
        level[node.name] = high
    widest = max(count.values(), default=0)
    return BuildingBlock(_shared_scope(part), part[-1].name, count.total(), widest)


def _shared_scope(part: Sequence[Node]) -> str:
    scopes = [node.scope.split(".") for node in part]
    shared = takewhile(lambda names: len(set(names)) == 1, zip(*scopes, strict=False))
    return ".".join(names[0] for names in shared)
