"""The cost of every node: parameters, arithmetic and memory access."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec import Struct, structs

from archscope.ir import Facts, Graph, Node

DTYPES = {"float64": 8, "float32": 4, "bfloat16": 2, "float16": 2, "int8": 1}
"""Bytes per element."""
EXTRA = {"int8": 3}
"""Bytes that a bias takes in addition to those of an element."""


class Cost(Struct, frozen=True, gc=False):
    """The cost of one node, or the sum of several. All but params and buffers is per batch."""

    params: int  # learnable; shared weights count at their first use only
    buffers: int  # running statistics
    macs: int  # multiply-accumulates of convolutions and matrix products
    elementwise: int  # all other arithmetic
    activations: int  # output elements of nodes that have macs
    memory_access: int  # elements read and written
    biases: int  # the params that are biases
    biases_read: int  # the elements read that are biases


def costs(graph: Graph, batch: int = 1) -> dict[str, Cost]:
    """Return the cost of each node by name.

    Memory access is inputs + weights + output of each operator, as in ShuffleNetV2
    (arXiv:1807.11164, equation 1); weights are read once for a batch.
    """
    result = {}
    for node, facts in zip(graph.nodes, graph.facts.values(), strict=True):
        params, buffers, macs, access = facts.params, facts.buffers, facts.macs, facts.access
        weights = params + buffers
        if node.shares is None:
            own, kept = params if node.new_params is None else node.new_params, buffers
            products = macs + node.weight_macs
        else:
            own = kept = 0
            products = macs
        result[node.name] = Cost(
            own,
            kept,
            products * batch,
            facts.elementwise * batch,
            facts.elements * batch if macs else 0,
            (access - weights) * batch + weights if access else 0,
            min(facts.biases, own),
            facts.biases if access else 0,
        )
    return result


def total(parts: dict[str, Cost]) -> Cost:
    """Return the sum of costs."""
    return Cost(*map(sum, zip(*map(structs.astuple, parts.values()), strict=True)))


def bytes_of(elements: int, biases: int, dtype: str) -> int:
    """Return the bytes of `elements` elements, `biases` of which are biases.

    Biases of int8 networks are int32, the type in which products of bytes are summed.
    """
    return elements * DTYPES[dtype] + biases * EXTRA.get(dtype, 0)


def bytes_by_node(
    graph: Graph, cost: dict[str, Cost], dtype: str, *, as_stored: bool
) -> dict[str, tuple[int, int]]:
    """Return the bytes of each node's weights, and of its memory access.

    `as_stored` uses the bytes of the weights in the imported file, if known.
    """
    result = {}
    size, extra = DTYPES[dtype], EXTRA.get(dtype, 0)
    for node in graph.nodes:
        own = cost[node.name]
        weights = (own.params + own.buffers) * size + own.biases * extra
        access = own.memory_access * size + own.biases_read * extra
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
"""The sums over several nodes: params, buffers, macs, memory access in elements, biases, and
biases read."""


def sums_of(nodes: Sequence[Node], known: Iterable[Facts] | None = None) -> Sums:
    """Return the sums over nodes for one image; shared weights count at their first use only.

    `known` gives the facts of the nodes if they are available. Faster than `costs`.
    """
    params = buffers = macs = access = biases = read = 0
    for node, facts in zip(nodes, known or (node.facts for node in nodes), strict=True):
        if node.shares is None:
            own = facts.params if node.new_params is None else node.new_params
            params += own
            buffers += facts.buffers
            biases += min(facts.biases, own)
            macs += node.weight_macs
        macs += facts.macs
        access += facts.access
        read += facts.biases if facts.access else 0
    return params, buffers, macs, access, biases, read
