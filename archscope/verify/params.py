"""Params and buffers against the module."""

from __future__ import annotations

from torch import nn

from archscope.analysis.cost import costs, total
from archscope.build import build
from archscope.ir import Graph
from archscope.verify.check import Check, compare


def check(graph: Graph) -> Check:
    """Compare with the numbers that each sub-module holds; shared ones count once."""
    network = build(graph, device="meta")
    cost = costs(graph)
    pairs: list[tuple[str, object, object]] = []
    for node in graph.nodes:
        if node.inputs and node.shares is None:
            module = network.part(node.name)
            own = cost[node.name]
            pairs.append((node.name, (own.params, own.buffers), _numbers(module)))
    whole = total(cost)
    pairs.append(("total", (whole.params, whole.buffers), _numbers(network)))
    return compare("params", "torch module", "params and buffers", pairs)


def _numbers(module: nn.Module) -> tuple[int, int]:
    """Return the number of parameters and of statistics, without torch's step counter."""
    statistics = sum(
        buffer.numel()
        for name, buffer in module.named_buffers()
        if not name.endswith("num_batches_tracked")
    )
    return sum(parameter.numel() for parameter in module.parameters()), statistics
