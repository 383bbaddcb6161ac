"""Count the multiply-accumulates of the backward pass, for gradients of weights and inputs."""

from __future__ import annotations

from msgspec import Struct

from archscope.ir import Graph


class Backward(Struct, frozen=True):
    """The macs of the backward pass for one image, by node; None if unknown."""

    products: dict[str, int | None]  # computed by torch
    counted: dict[str, int | None]  # counted by torch.utils.flop_counter, halved


def backward(graph: Graph) -> Backward:
    """Return the macs of the backward pass from all outputs of a graph, for one image.

    Gradients are computed for all weights and for every value with weights before it, so not for
    the input of the network. torch.utils.flop_counter takes the gradient of grouped weights for
    that of dense ones, and so counts it once per group.
    """
    wanted = graph.ancestors(*(output.node for output in graph.outputs))
    moving: set[str] = set()  # nodes whose result has a gradient
    products: dict[str, int | None] = {}
    counted: dict[str, int | None] = {}
    for node, facts in zip(graph.nodes, graph.facts.values(), strict=True):
        name, op = node.name, node.op
        needed = tuple(source in moving for source in node.inputs)
        if facts.params or any(needed):
            moving.add(name)
        if op.unknown and (facts.macs or "macs" in op.unknown):
            products[name] = counted[name] = None
        elif not facts.macs or name not in wanted or name not in moving:
            products[name] = counted[name] = 0
        else:
            own = op.backward_macs(*node.ins, needed=needed)
            repeated = facts.macs * (getattr(op, "groups", 1) - 1) if facts.params else 0
            products[name], counted[name] = own, own + repeated
    return Backward(products, counted)
