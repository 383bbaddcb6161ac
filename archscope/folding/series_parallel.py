"""Graph -> a chain: branches that part and come together again become one item."""

from __future__ import annotations

from collections import Counter

from archscope.folding.dense import find_dense
from archscope.folding.pieces import Chain, Item, leaf, say_sources
from archscope.folding.sharing import close_shares
from archscope.ir import Graph, Node, Output


def series(graph: Graph) -> Chain:
    """Return the graph as a chain, whose items read what stands before them or say what else."""
    outputs = {output.node: output for output in graph.outputs}
    reads = Counter(name for node in graph.nodes for name in node.inputs)
    reads.update(list(outputs))
    owners = {node.shares for node in graph.nodes}
    items: dict[str, Item] = {}
    for node in graph.nodes:
        if not node.inputs:
            continue
        item = leaf(node)
        item.output = outputs.get(node.name)
        if node.shares or node.name in owners:
            item.share = node.shares or node.name
        items[node.name] = item
        if node.op.branching and len(node.inputs) > 1:
            _join(item, items, reads)
    find_dense(items, reads)
    _leave_unsaid(graph, items)
    chain = _with_heads(graph, items, reads)
    say_sources(chain, entry_of(graph))
    close_shares(chain)
    return chain


def entry_of(graph: Graph) -> tuple[str, ...]:
    """Return what the first layer of a graph reads if it does not say so."""
    inputs = tuple(node.name for node in graph.inputs)
    return inputs if len(inputs) == 1 else ()


def _back(value: str, items: dict[str, Item], reads: Counter[str]) -> tuple[str, Chain]:
    """Follow a value back to one that others read, too; return that, and the way."""
    way: Chain = []
    while value in items and reads[value] == 1:
        item = items[value]
        if item.output is not None or len(item.inputs) != 1:
            break
        way.append(item)
        value = item.inputs[0]
    return value, way[::-1]


def _join(merge: Item, items: dict[str, Item], reads: Counter[str]) -> None:
    """Take the branches of a merge into it, if all of them begin at one value."""
    ways = [_back(value, items, reads) for value in merge.inputs]
    forks = {fork for fork, _ in ways}
    if len(forks) != 1:
        return
    (fork,) = forks
    merge.branches = [way for _, way in ways]
    for way in merge.branches:
        for item in way:
            del items[item.value]
    reads[fork] -= len(ways) - 1
    node: Node | None = merge.node
    assert node is not None
    merge.inputs = (fork,)
    firsts = [way[0] for way in merge.branches if way]
    merge.entry = firsts[0].entry if firsts else node.ins[0]
    _split(merge)


def _split(merge: Item) -> None:
    """Say `split` where every branch begins with its equal part of the channels."""
    parts = []
    for way in merge.branches:
        if not way or way[0].word != "slice" or way[0].pinned:
            return
        parts.append(way[0])
    assert merge.entry is not None
    size, rest = divmod(merge.entry[0], len(parts))
    for i, part in enumerate(parts):
        if rest or part.args != {"start": i * size, "stop": (i + 1) * size}:
            return
    merge.slices = [part.value for part in parts]
    merge.branches = [way[1:] for way in merge.branches]


def _leave_unsaid(graph: Graph, items: dict[str, Item]) -> None:
    """Do not say that the end of the chain is the output, which goes without saying."""
    last = graph.outputs[-1]
    item = items.get(last.node)
    plain = last == Output("output", last.node)
    if item is not None and plain and next(reversed(items)) == last.node:
        read = any(last.node in node.inputs for node in graph.nodes)
        item.output = item.output if read else None


def _with_heads(graph: Graph, items: dict[str, Item], reads: Counter[str]) -> Chain:
    """Return the items as a chain; side heads stand where they leave it."""
    heads: dict[str, list[Item]] = {}
    for output in graph.outputs[:-1]:
        item = items.get(output.node)
        if item is None or item.output is None or reads[item.value] != 1 or len(item.inputs) != 1:
            continue
        fork, way = _back(item.inputs[0], items, reads)
        entry = way[0].entry if way else item.entry
        head = Item("", (fork,), item.value, entry, body=[*way, item], output=item.output)
        item.output = None
        for one in head.body:
            del items[one.value]
        heads.setdefault(fork, []).append(head)
    chain: Chain = []
    for name in [node.name for node in graph.inputs]:
        chain += heads.pop(name, [])
    for item in items.values():
        chain += [item, *heads.pop(item.value, [])]
    return chain
