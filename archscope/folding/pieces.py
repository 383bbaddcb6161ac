"""The tree that a graph is folded into: chains of operators, merges, runs and blocks."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from msgspec import Struct, structs

from archscope.ir import Node, Output, Shape

Key = tuple[Any, ...]


class Piece(Struct, eq=False):
    """A future layer of the spec: an operator with its branches, a run, or a block instance.

    A run is a repeated sequence: its iterations are `copies`, equal in every number. An instance
    of a block has a `body`, and so has a side head, whose layers follow in `then`.
    """

    word: str  # the operator or block; empty for a run and a side head
    inputs: tuple[str, ...]  # its input nodes
    value: str  # its last node
    entry: Shape | None  # shape of the input, if there is one input
    node: Node | None = None  # of an operator
    branches: list[list[Piece]] = []
    slices: list[str] = []  # the nodes of `split`
    body: list[Piece] = []
    copies: list[list[Piece]] = []
    closed: int = 0  # the number of weights shared only inside a piece
    held: bool = False  # whether layers outside share weights with layers in it
    sources: tuple[str, ...] | None = None  # the nodes that `from` must name
    read: bool = False  # whether a `from` names it
    output: Output | None = None
    share: str | None = None
    grows: bool = False  # whether each iteration of a run reads all before it
    first_differs: bool = False  # whether the first iteration of a run differs in numbers
    args: dict[str, Any] = {}  # the numbers of an operator, the parameters of a block

    @property
    def pinned(self) -> bool:
        """Whether it is an output or shares weights, and so cannot become part of a block."""
        return self.output is not None or self.share is not None or self.held

    @property
    def is_run(self) -> bool:
        """Whether it is a run."""
        return bool(self.copies)

    @property
    def is_block(self) -> bool:
        """Whether it is an instance of a block."""
        return bool(self.body) and bool(self.word)


Chain = list[Piece]
NO_NUMBERS = ("axis", "step")
"""Attributes of the kind, not the amount, of an operation, which are not block parameters."""

COUNTS = {"params": "own_params", "weight_macs": "own_macs"}
"""The modifiers with counts of a node, and their names among its numbers."""


def leaf(node: Node) -> Piece:
    """Return the piece of a node; counts unknown to its operator are among its numbers."""
    entry = node.ins[0] if len(node.ins) == 1 else None
    numbers = {
        name: value
        for name, value in structs.asdict(node.op).items()
        if name not in NO_NUMBERS
        and isinstance(value, int | float | tuple)
        and not isinstance(value, bool)
    }
    if node.new_params not in (None, node.facts.params):
        numbers["own_params"] = node.new_params
    if node.weight_macs:
        numbers["own_macs"] = node.weight_macs
    return Piece(node.op.name, node.inputs, node.name, entry, node, args=numbers)


def instance(word: str, pieces: Chain) -> Piece:
    """Return pieces as an instance of a block."""
    first, last = pieces[0], pieces[-1]
    made = Piece(word, first.inputs, last.value, first.entry, body=[*pieces])
    made.sources, made.read = first.sources, last.read
    mark_sources(made.body, made.inputs)
    return made


def mark_sources(chain: Chain, flow: tuple[str, ...]) -> None:
    """Set `sources` of each piece that does not read the previous one, and `read` of these."""
    made = {piece.value: piece for piece in chain}
    for piece in chain:
        piece.sources, piece.read = None, False
    for piece in chain:
        if piece.inputs != flow:
            piece.sources = piece.inputs
            for name in piece.inputs:
                if name in made:
                    made[name].read = True
        if piece.output is None:
            flow = (piece.value,)


def mark_all_sources(chain: Chain, flow: tuple[str, ...]) -> None:
    """Set `sources` and `read` in a chain, and in all blocks in it."""
    mark_sources(chain, flow)
    for piece in all_pieces(chain):
        if piece.is_block and not any(part.grows for part in piece.body):
            mark_sources(piece.body, piece.inputs)


def references(chain: Chain, place: int, start: int = 0) -> tuple[int, ...]:
    """Return the distances of a piece to its inputs, 0 for those before `start`."""
    places = {piece.value: back for back, piece in enumerate(chain[start:place], start)}
    return tuple(place - places[name] if name in places else 0 for name in chain[place].inputs)


def counts_of(piece: Piece) -> dict[str, int]:
    """Return the counts next to the operator of a piece, by modifier."""
    named = COUNTS.items() if piece.node is not None else ()
    return {word: piece.args[name] for word, name in named if name in piece.args}


def is_depthwise(piece: Piece) -> bool:
    """Return whether a piece is a depthwise convolution."""
    channels = piece.entry[0] if piece.entry else 1
    return channels > 1 and piece.args.get("groups") == piece.args.get("out") == channels


def chains_in(piece: Piece) -> Iterator[Chain]:
    """Yield the chains in a piece."""
    yield from piece.branches
    if piece.body:
        yield piece.body
    yield from piece.copies


def all_chains(chain: Chain) -> Iterator[Chain]:
    """Yield a chain and every chain inside it."""
    yield chain
    for piece in chain:
        for inner in chains_in(piece):
            yield from all_chains(inner)


def all_pieces(chain: Chain) -> Iterator[Piece]:
    """Yield the pieces of a chain and of every chain inside it."""
    return (piece for inner in all_chains(chain) for piece in inner)


def instances_in(chain: Chain) -> dict[str, list[Piece]]:
    """Return all instances of each block, including those in iterations and other instances."""
    found: dict[str, list[Piece]] = {}
    for piece in all_pieces(chain):
        if piece.is_block:
            found.setdefault(piece.word, []).append(piece)
    return found


def inner_first(chain: Chain) -> dict[str, list[Piece]]:
    """Return all instances of each block, each block after those it uses."""
    found, ordered = instances_in(chain), dict[str, list[Piece]]()

    def visit(word: str) -> None:
        if word not in ordered:
            example = max(found[word], key=weight)
            for piece in all_pieces(example.body):
                if piece.is_block:
                    visit(piece.word)
            ordered[word] = found[word]

    for word in found:
        visit(word)
    return ordered


def first_node(piece: Piece) -> str:
    """Return the first node of the layer of a piece."""
    return next(nodes_of([piece]))


def last_node(piece: Piece) -> str:
    """Return the last node of the layer of a piece."""
    while piece.node is None:
        piece = (piece.copies[-1] if piece.is_run else piece.body)[-1]
    return piece.node.name


def nodes_of(chain: Iterable[Piece]) -> Iterator[str]:
    """Yield the nodes of a chain in the order of its spec."""
    for piece in chain:
        yield from piece.slices
        for inner in chains_in(piece):
            yield from nodes_of(inner)
        if piece.node is not None:
            yield piece.node.name


def weight(piece: Piece) -> int:
    """Return how many nodes a piece has."""
    return sum(1 for _ in nodes_of([piece]))


def lines(chain: Iterable[Piece]) -> int:
    """Estimate how many lines of text a chain takes."""
    count = 0
    for piece in chain:
        count += 1 + (piece.sources is not None) + piece.read
        count += sum(max(1, lines(branch)) for branch in piece.branches)
        if piece.is_run:  # a different first iteration is a separate layer here
            count += lines(piece.copies[0]) + piece.first_differs
    return count
