"""Which networks are the same? A digest that names and the order of branches do not change.

What computes nothing of its own is left out first: identities, what no output reads, sums with
zeros, the same function of the same value twice. Then every value gets a digest of how it is
made, and from that one of how it is used, as in the colour refinement of Weisfeiler and Lehman
(1968) along and against the edges. Equal digests mean equal networks up to graphs that
refinement cannot tell apart, which differ in neither operators nor neighbourhoods.
"""

from __future__ import annotations

from functools import lru_cache
from hashlib import blake2b

from msgspec import Struct

from archscope.ir import Graph, Node, Op, Shape

COMMUTING = frozenset({"add", "mul"})
"""Operators whose inputs may stand in any order and be nested in themselves."""
RANDOM = frozenset({"dropout", "stochastic_depth", "stochastic_pool"})
"""Operators that give something else each time while training, so that twice is not once."""
COMMUTES = -2  # the slot of every input of such an operator
MAYBE_NOTHING = frozenset(
    {
        "identity", "dropout", "stochastic_depth", "times", "channel_shuffle", "flatten",
        "reshape", "slice",
    }
)  # fmt: skip
"""Operators that pass on what they read, some with certain attributes only."""
KEEPS_ZERO = frozenset(
    {
        "avgpool", "channel_shuffle", "dropout", "flatten", "global_avgpool",
        "global_maxpool", "identity", "leaky_relu", "maxpool", "mul", "prelu", "relu", "relu6",
        "slice", "stochastic_depth", "tanh", "times",
    }
)  # fmt: skip
"""Operators that make zeros of zeros alone."""


class _Value(Struct, gc=False):
    """One result that the network cannot do without."""

    kind: int  # the digest of its operator
    inputs: tuple[int, ...]
    commuting: bool
    owner: str | None  # whose weights it uses, if it has any


def canonical(graph: Graph) -> str:
    """Return 32 hexadecimal digits: the same for networks that differ only in how they are written.

    Names of nodes, files and the network itself do not enter; names, weights and modes of
    outputs do, and every attribute of an operator.
    """
    values, named = _values(graph)
    live = _live(values, {named[output.node] for output in graph.outputs})
    made: dict[int, int] = {}
    for place in live:
        value = values[place]
        reads = [made[name] for name in value.inputs]
        if value.commuting:
            reads.sort()
        made[place] = hash((value.kind, *reads))
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
        for slot, one in enumerate(value.inputs):
            uses[one].append(hash((own, COMMUTES if value.commuting else slot)))
    groups: dict[str, list[int]] = {}
    for place in live:
        owner = values[place].owner
        if owner is not None:
            groups.setdefault(owner, []).append(used[place])
    shared = [tuple(sorted(group)) for group in groups.values() if len(group) > 1]
    text = repr((sorted(used.values()), sorted(shared)))
    return blake2b(text.encode(), digest_size=16).hexdigest()


def _values(graph: Graph) -> tuple[list[_Value], dict[str, int]]:
    """Return the distinct values in order, and for each node which of them it is."""
    values: list[_Value] = []
    named: dict[str, int] = {}
    known: dict[tuple[object, ...], int] = {}
    zeros: set[int] = set()

    def put(kind: int, inputs: tuple[int, ...], commuting: bool, owner: str | None) -> int:
        key = (kind, tuple(sorted(inputs)) if commuting else inputs, owner)
        place = known.setdefault(key, len(values))
        if place == len(values):
            values.append(_Value(kind, inputs, commuting, owner))
        return place

    for number, node in enumerate(graph.nodes):
        op, name = node.op, node.name
        reads = tuple([named[name] for name in node.inputs])
        if not reads:
            named[name] = put(hash((_kind(op), number)), (), False, None)
            continue
        if op.name in MAYBE_NOTHING and _is_identity(node):
            named[name] = reads[0]
            continue
        if (zeros or op.name == "times") and _is_zero(node, reads, zeros):
            named[name] = put(_number(f"zero {node.out}"), (), False, None)
            zeros.add(named[name])
            continue
        kind, commuting = _kind(op), op.name in COMMUTING
        if commuting:
            reads = _flat(kind, reads, values)
            if op.name == "add":
                reads = tuple([name for name in reads if name not in zeros])
            if len(reads) == 1:
                named[name] = reads[0]
                continue
        owner = None
        if op.name in RANDOM or _weighted(op, node.ins):
            owner = node.shares or name
        named[name] = put(kind, reads, commuting, owner)
    return values, named


def _flat(kind: int, reads: tuple[int, ...], values: list[_Value]) -> tuple[int, ...]:
    """Return the terms of a sum or product with those of sums or products in it."""
    if all(values[name].kind != kind for name in reads):
        return reads
    return tuple(
        term
        for name in reads
        for term in (values[name].inputs if values[name].kind == kind else (name,))
    )


def _is_identity(node: Node) -> bool:
    """Return whether a node passes on what it reads."""
    op = node.op
    match op.name:
        case "identity":
            return True
        case "dropout" | "stochastic_depth":
            return bool(getattr(op, "p", 1) == 0)
        case "times":
            return bool(getattr(op, "factor", 0) == 1)
        case "channel_shuffle":
            return bool(getattr(op, "groups", 0) == 1)
        case "flatten" | "reshape" | "slice":
            return node.ins[0] == node.out
    return False


def _is_zero(node: Node, reads: tuple[int, ...], zeros: set[int]) -> bool:
    """Return whether a node gives zeros whatever enters the network."""
    op = node.op
    if op.name == "times" and getattr(op, "factor", 1) == 0:
        return True
    if not zeros:
        return False
    if op.name == "mul":
        return any(name in zeros for name in reads)
    if not all(name in zeros for name in reads):
        return False
    if op.name == "conv":
        return not getattr(op, "bias", True)
    return op.name in KEEPS_ZERO or op.name in ("add", "concat")


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
