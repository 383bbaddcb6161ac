"""Round the inputs of layers with weights, for networks that compute in few bits."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from archscope.ir import Builder, Graph
from archscope.ops.fake_quantize import FakeQuantize

SUFFIX = "_rounded"


def round_inputs(graph: Graph, roundings: Mapping[str, FakeQuantize]) -> Graph:
    """Return the graph with some nodes' values rounded for the layers with weights that read them.

    Other readers, such as the additions of residual networks, get the original values.
    """
    builder = Builder()
    for node in graph.nodes:
        inputs = (
            f"{name}{SUFFIX}" if name in roundings and is_weighted(graph, node.name) else name
            for name in node.inputs
        )
        builder.again(node, node.op, inputs)
        if node.name in roundings:
            builder.add(f"{node.name}{SUFFIX}", roundings[node.name], [node.name])
    # Published numbers describe the original network.
    return structs.replace(graph, nodes=tuple(builder.nodes.values()), reference=(), sites={})


def is_weighted(graph: Graph, name: str) -> bool:
    """Whether a node multiplies its input by weights, as convolutions and matrix products do."""
    facts = graph.by_name[name].facts
    return bool(facts.macs and (facts.params or graph.by_name[name].shares))


def read_by_layers(graph: Graph) -> dict[str, bool]:
    """Return the values, except inputs, that layers with weights read; True for the last layer."""
    inputs = {node.name for node in graph.inputs}
    layers = [node for node in graph.nodes if is_weighted(graph, node.name)]
    found: dict[str, bool] = {}
    for layer in layers:
        for name in layer.inputs:
            if name not in inputs:
                found[name] = found.get(name, False) or layer is layers[-1]
    return found
