"""Multiply-accumulates by the bits of what they multiply, for networks that compute in few bits."""

from __future__ import annotations

from collections import defaultdict

from msgspec import Struct

from archscope.analysis.cost import DTYPES
from archscope.ir import INNER, WEIGHTS, Graph, Node


class BitMacs(Struct, frozen=True, gc=False):
    """The macs that multiply weights of so many bits by inputs of so many bits.

    Of products of two values without weights, one counts as the weight.
    """

    weights: int
    inputs: int
    macs: int


def macs_by_bits(
    graph: Graph, dtype: str, batch: int = 1, *, as_stored: bool = True
) -> tuple[BitMacs, ...]:
    """Return the macs by bits, in ascending order.

    Inputs have the bits of the rounding that they come from, through operators that only select
    values, and otherwise those of `dtype`; with `as_stored`, weights have the bits of the file that
    they come from, if known.
    """
    plain = 8 * DTYPES[dtype]
    found: dict[tuple[int, int], int] = defaultdict(int)
    if not any(node.op.result_levels or node.weight_bits for node in graph.nodes):
        both = zip(graph.nodes, graph.facts.values(), strict=True)  # facts are known already
        found[plain, plain] = sum(f.macs + (0 if n.shares else n.weight_macs) for n, f in both)
    bits: dict[str, int] = {}  # of the results of nodes
    for node in graph.nodes if not found else ():
        bits[node.name] = _result_bits(node, bits, plain)
        if node.own_macs > node.facts.macs:
            found[plain, plain] += node.own_macs - node.facts.macs
        if not node.facts.macs:
            continue
        owner = node if node.shares is None else graph.by_name[node.shares]
        special = {INNER: plain, WEIGHTS: owner.weight_bits if as_stored else None}
        for *factors, macs in node.op.factors(*node.ins):
            weights, inputs = (
                (special[place] or plain) if place < 0 else bits[node.inputs[place]]
                for place in factors
            )
            found[weights, inputs] += macs
    return tuple(
        BitMacs(weights, inputs, macs * batch)
        for (weights, inputs), macs in sorted(found.items())
        if macs
    )


def _result_bits(node: Node, bits: dict[str, int], plain: int) -> int:
    """Return the bits of a node's result, given those of earlier nodes."""
    if node.op.result_levels:
        return max(1, (node.op.result_levels - 1).bit_length())
    if node.op.selects:
        return max((bits[name] for name in node.inputs), default=plain)
    return plain
