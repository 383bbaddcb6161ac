"""Compute a digest of a network that does not depend on names or on the order of branches.

Nodes that compute nothing new are left out first: identities, nodes that no output needs, sums with
zeros, duplicates of the same function of the same value. Every value then gets a digest of how it
is computed, and then one of how it is used, as in the colour refinement of Weisfeiler and Lehman
(1968), along and against the edges. Equal digests mean equal networks, except for graphs that
refinement cannot distinguish, which differ in neither operators nor neighbourhoods.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct

from archscope.ir import Graph, Op, Shape

ANY_SLOT = -2
"""The slot of every input of a commutative operator."""


class _Value(Struct, gc=False):
    """A distinct result in the network."""

    kind: int  # the digest of its operator
    inputs: tuple[int, ...]
    commutative: bool
    owner: str | None  # the node that owns its weights, if any
    op: Op


class Computed(Struct, frozen=True):
    """A distinct value that the outputs of a network need."""

    digest: int  # of how it is computed, from the inputs on
    reads: tuple[int, ...]  # the digests of the values that its operator reads
    op: Op


def canonical(graph: Graph) -> str:
    """Return 32 hexadecimal digits that are equal for networks that only differ in notation.

    Names of nodes, files and the network have no influence; names, weights and modes of outputs do,
    and so does every attribute of an operator.
    """
    values, named = _values(graph)
    live = _live(values, {named[output.node] for output in graph.outputs})
    made = _made(values, live)
    uses: dict[int, list[int]] = {place: [] for place in live}
    for output in graph.outputs:
        head = f"{output.name} {output.weight} {output.train_only}"
        uses[named[output.node]].append(_number(head))
    used: dict[int, int] = {}
    for place in reversed(live):
        value, readers = values[place], uses[place]
        if len(readers) > 1:
            readers.sort()
        own = used[place] = hash((made[place], *readers))
        for slot, place_read in enumerate(value.inputs):
            uses[place_read].append(hash((own, ANY_SLOT if value.commutative else slot)))
    groups: dict[str, list[int]] = {}
    for place in live:
        owner = values[place].owner
        if owner is not None:
            groups.setdefault(owner, []).append(used[place])
    shared = [tuple(sorted(group)) for group in groups.values() if len(group) > 1]
    text = repr((sorted(used.values()), sorted(shared)))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def computed(graph: Graph) -> list[Computed]:
    """Return the values that the outputs of a network need, in order, with their digests.

    Equal networks have equal values; values do not tell how outputs are called, nor which layers
    share weights.
    """
    values, named = _values(graph)
    live = _live(values, {named[output.node] for output in graph.outputs})
    made = _made(values, live)
    return [Computed(made[place], _reads(values[place], made), values[place].op) for place in live]


def _made(values: list[_Value], live: list[int]) -> dict[int, int]:
    """Return a digest of how each value is computed."""
    made: dict[int, int] = {}
    for place in live:
        made[place] = hash((values[place].kind, *_reads(values[place], made)))
    return made


def _reads(value: _Value, made: dict[int, int]) -> tuple[int, ...]:
    """Return the digests of the values that a value reads, sorted if their order is free."""
    reads = [made[name] for name in value.inputs]
    if value.commutative:
        reads.sort()
    return tuple(reads)


def _values(graph: Graph) -> tuple[list[_Value], dict[str, int]]:
    """Return the distinct values in order, and the index of each node's value."""
    values: list[_Value] = []
    named: dict[str, int] = {}
    known: dict[tuple[object, ...], int] = {}
    zeros: set[int] = set()

    def put(
        kind: int, inputs: tuple[int, ...], commutative: bool, owner: str | None, op: Op
    ) -> int:
        key = (kind, tuple(sorted(inputs)) if commutative else inputs, owner)
        place = known.setdefault(key, len(values))
        if place == len(values):
            values.append(_Value(kind, inputs, commutative, owner, op))
        return place

    for number, node in enumerate(graph.nodes):
        op, name = node.op, node.name
        reads = tuple([named[name] for name in node.inputs])
        if not reads:
            named[name] = put(hash((_kind(op), number)), (), False, None, op)
            continue
        if len(reads) == 1 and op.is_identity(*node.ins):
            named[name] = reads[0]
            continue
        if op.is_zero(*[read in zeros for read in reads]):
            named[name] = put(_number(f"zero {node.out}"), (), False, None, op)
            zeros.add(named[name])
            continue
        kind = _kind(op)
        if op.commutative:
            reads = _flat(kind, reads, values)
            if op.zero_is_neutral and len(set(node.ins)) == 1:  # unequal shapes broadcast
                reads = tuple([read for read in reads if read not in zeros])
            if len(reads) == 1:
                named[name] = reads[0]
                continue
        owner = None
        if op.random or _weighted(op, node.ins):
            owner = node.shares or name
        named[name] = put(kind, reads, op.commutative, owner, op)
    return values, named


def _flat(kind: int, reads: tuple[int, ...], values: list[_Value]) -> tuple[int, ...]:
    """Return the terms of a sum or product, with nested sums or products flattened."""
    if all(values[name].kind != kind for name in reads):
        return reads
    return tuple(
        term
        for name in reads
        for term in (values[name].inputs if values[name].kind == kind else (name,))
    )


def _live(values: list[_Value], wanted: set[int]) -> list[int]:
    """Return the values that the wanted ones need, in order."""
    for place in range(len(values) - 1, -1, -1):
        if place in wanted:
            wanted.update(values[place].inputs)
    return sorted(wanted)


@lru_cache(maxsize=1 << 14)
def _weighted(op: Op, ins: tuple[Shape, ...]) -> bool:
    return bool(op.params(*ins) or op.buffers(*ins))


@lru_cache(maxsize=1 << 14)
def _kind(op: Op) -> int:
    return _number(repr(op))


@lru_cache(maxsize=1 << 10)
def _number(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=7).digest())
