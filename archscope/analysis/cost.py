"""The cost of every node: parameters, arithmetic, and traffic to and from memory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct

from archscope.ir import Facts, Graph, Node

DTYPES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
"""Bytes of an element."""
EXTRA = {"int8": 3}
"""Bytes by which a bias is longer."""


class Cost(Struct, frozen=True, gc=False):
    """The cost of one node, or of many together. Everything but params and buffers is per batch."""

    params: int  # learnable; of shared weights only where they are first used
    buffers: int  # running statistics
    macs: int  # multiply-accumulates of convolutions and matrix products
    elementwise: int  # all other arithmetic
    activations: int  # output elements of nodes that have macs
    memory_access: int  # elements read and written
    biases: int  # of the params, those that are added to results
    biases_read: int  # of the elements read


FIELDS = Cost.__struct_fields__


def costs(graph: Graph, batch: int = 1) -> dict[str, Cost]:
    """Return the cost of each node by name.

    Memory access is inputs + weights + output of each operator, as in ShuffleNetV2
    (arXiv:1807.11164, equation 1); weights are read once for a batch.
    """
    result = {}
    for node, facts in zip(graph.nodes, graph.facts.values(), strict=True):
        weights = facts.params + facts.buffers
        macs = facts.macs + (node.weight_macs if node.shares is None else 0)
        result[node.name] = Cost(
            node.own_params,
            facts.buffers if node.shares is None else 0,
            macs * batch,
            facts.elementwise * batch,
            facts.elements * batch if facts.macs else 0,
            (facts.access - weights) * batch + weights if facts.access else 0,
            min(facts.biases, node.own_params),
            facts.biases if facts.access else 0,
        )
    return result


def total(parts: dict[str, Cost]) -> Cost:
    """Return the sum of costs."""
    columns = ([getattr(part, field) for part in parts.values()] for field in FIELDS)
    return Cost(*map(sum, columns))


def bytes_of(elements: int, biases: int, dtype: str) -> int:
    """Return the bytes of elements, of which so many are biases.

    Biases of int8 networks are int32: products of bytes are summed in it.
    """
    return elements * DTYPES[dtype] + biases * EXTRA.get(dtype, 0)


def bytes_by_node(
    graph: Graph, cost: dict[str, Cost], dtype: str, *, as_stored: bool
) -> dict[str, tuple[int, int]]:
    """Return the bytes of the weights of each node, and of what it reads and writes.

    `as_stored` takes the bytes of weights in the file that the graph comes from, where known.
    """
    result = {}
    for node in graph.nodes:
        own = cost[node.name]
        weights = bytes_of(own.params + own.buffers, own.biases, dtype)
        access = bytes_of(own.memory_access, own.biases_read, dtype)
        owner = node if node.shares is None else graph.by_name[node.shares]
        if as_stored and owner.weight_bytes is not None:
            weights = owner.weight_bytes if owner is node else 0
            if own.memory_access:
                facts = owner.facts
                held = bytes_of(facts.params + facts.buffers, facts.biases, dtype)
                access += owner.weight_bytes - held
        result[node.name] = weights, access
    return result


Sums = tuple[int, ...]
"""Params, buffers, macs and memory access in elements, biases, and biases among the elements
read, of several nodes together."""


def sums_of(nodes: Sequence[Node], known: Iterable[Facts] | None = None) -> Sums:
    """Return the sums over nodes for one image; shared weights count where they stand first.

    `known` gives the facts of the nodes, where they are at hand. Quicker than `costs`.
    """
    params = buffers = macs = access = biases = read = 0
    for node, facts in zip(nodes, known or (node.facts for node in nodes), strict=True):
        if node.shares is None:
            own = facts.params if node.new_params is None else node.new_params
            params += own
            buffers += facts.buffers
            biases += facts.biases if facts.biases < own else own
            macs += node.weight_macs
        macs += facts.macs
        access += facts.access
        read += facts.biases if facts.access else 0
    return params, buffers, macs, access, biases, read
