"""Turn a graph into a chain of pieces: branches that fork and merge again become one piece.

In graph theory this is a series-parallel decomposition.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from archscope.folding.dense import find_dense
from archscope.folding.pieces import Chain, Piece, first_node, leaf, mark_sources, nodes_of
from archscope.folding.shared_weights import mark_enclosed_shares
from archscope.ir import Graph, Node, Output


def chain_of(graph: Graph, *, in_order: bool = False) -> Chain:
    """Return the graph as a chain; pieces that do not read the previous one have `sources`.

    `in_order` leaves branches beside their merge whose nodes would have another order in it.
    """
    outputs = {output.node: output for output in graph.outputs}
    reads = Counter(name for node in graph.nodes for name in node.inputs)
    reads.update(list(outputs))
    owners = {node.shares for node in graph.nodes}
    pieces: dict[str, Piece] = {}
    places = {node.name: place for place, node in enumerate(graph.nodes)}
    for node in graph.nodes:
        if not node.inputs:
            continue
        piece = leaf(node)
        piece.output = outputs.get(node.name)
        if node.shares or node.name in owners:
            piece.share = node.shares or node.name
        pieces[node.name] = piece
        if node.op.branching and len(node.inputs) > 1 and node.op == type(node.op)():
            _join(piece, node, pieces, reads, places, in_order)
    find_dense(pieces, reads)
    _leave_unsaid(graph, pieces)
    chain = _with_heads(graph, pieces, reads)
    mark_sources(chain, entry_of(graph))
    mark_enclosed_shares(chain)
    return chain


def entry_of(graph: Graph) -> tuple[str, ...]:
    """Return the input of the first layer of a graph if it has no `from`."""
    inputs = tuple(node.name for node in graph.inputs)
    return inputs if len(inputs) == 1 else ()


def _back(value: str, pieces: dict[str, Piece], reads: Counter[str]) -> tuple[str, Chain]:
    """Follow a value back to one with several readers; return it and the pieces between."""
    way: Chain = []
    while value in pieces and reads[value] == 1:
        piece = pieces[value]
        if piece.output is not None or len(piece.inputs) != 1:
            break
        way.append(piece)
        value = piece.inputs[0]
    return value, way[::-1]


def _join(
    merge: Piece,
    node: Node,
    pieces: dict[str, Piece],
    reads: Counter[str],
    places: Mapping[str, int],
    in_order: bool,
) -> None:
    """Move the branches of a merge into it, if all of them start at the same value."""
    ways = [_back(value, pieces, reads) for value in merge.inputs]
    forks = {fork for fork, _ in ways}
    if len(forks) != 1:
        return
    (fork,) = forks
    branches = [way for _, way in ways]
    if node.op.commutative and len({*node.ins}) == 1:
        _sort(branches, places)
    if in_order:
        order = [places[name] for way in branches for name in nodes_of(way)]
        if order != sorted(order):
            return
    merge.branches = branches
    for way in merge.branches:
        for piece in way:
            del pieces[piece.value]
    reads[fork] -= len(ways) - 1
    merge.inputs = (fork,)
    merge.entry = next((way[0].entry for way in merge.branches if way), node.ins[0])
    _split(merge)


def _sort(branches: list[Chain], places: Mapping[str, int]) -> None:
    """Sort branches by when they are executed; those that do nothing stay where they are."""
    full = [number for number, branch in enumerate(branches) if branch]
    ordered = sorted(
        (branches[number] for number in full), key=lambda way: places[first_node(way[0])]
    )
    for number, branch in zip(full, ordered, strict=True):
        branches[number] = branch


def _split(merge: Piece) -> None:
    """Replace slices by `split` if every branch starts with an equal part of the channels."""
    parts = []
    for way in merge.branches:
        if not way or way[0].word != "slice" or way[0].pinned or not _is_of_channels(way[0]):
            return
        parts.append(way[0])
    assert merge.entry is not None
    size, rest = divmod(merge.entry[0], len(parts))
    for i, part in enumerate(parts):
        if rest or part.args != {"start": i * size, "stop": (i + 1) * size}:
            return
    merge.slices = [part.value for part in parts]
    merge.branches = [way[1:] for way in merge.branches]


def _is_of_channels(piece: Piece) -> bool:
    """Return whether a slice takes consecutive channels."""
    op: Any = piece.node and piece.node.op
    return (op.axis, op.step) == (0, 1)


def _leave_unsaid(graph: Graph, pieces: dict[str, Piece]) -> None:
    """Clear the output of the last piece if it is the default: the end of the chain."""
    last = graph.outputs[-1]
    piece = pieces.get(last.node)
    plain = last == Output("output", last.node)
    if piece is not None and plain and next(reversed(pieces)) == last.node:
        read = any(last.node in node.inputs for node in graph.nodes)
        piece.output = piece.output if read else None


def _with_heads(graph: Graph, pieces: dict[str, Piece], reads: Counter[str]) -> Chain:
    """Return the pieces as a chain, with side heads where they branch off."""
    heads: dict[str, list[Piece]] = {}
    for output in graph.outputs[:-1]:
        piece = pieces.get(output.node)
        if piece is None or piece.output is None:
            continue
        if reads[piece.value] != 1 or len(piece.inputs) != 1:
            continue
        fork, way = _back(piece.inputs[0], pieces, reads)
        entry = way[0].entry if way else piece.entry
        head = Piece("", (fork,), piece.value, entry, body=[*way, piece], output=piece.output)
        piece.output = None
        for part in head.body:
            del pieces[part.value]
        heads.setdefault(fork, []).append(head)
    chain: Chain = []
    for name in [node.name for node in graph.inputs]:
        chain += heads.pop(name, [])
    for piece in pieces.values():
        chain += [piece, *heads.pop(piece.value, [])]
    return chain
