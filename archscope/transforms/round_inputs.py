"""Round the inputs of layers with weights, for networks that compute in few bits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph
from archscope.module_names import free_name
from archscope.ops.fake_quantize import FakeQuantize

SUFFIX = "_rounded"


def round_inputs(graph: Graph, roundings: Mapping[str, FakeQuantize]) -> Graph:
    """Return the graph with some nodes' values rounded for the layers with weights that read them.

    Other readers, such as the additions of residual networks, get the original values. Roundings
    that the graph has of the same values make way.
    """
    builder = GraphBuilder()
    replaced = _replaced(graph, roundings)
    taken = graph.by_name.keys() - replaced
    names = {name: free_name(f"{name}{SUFFIX}", taken) for name in roundings}
    for node in graph.nodes:
        if node.name in replaced:
            continue
        inputs: Iterable[str] = node.inputs
        if is_weighted(graph, node.name):
            inputs = (names.get(_exact(graph, name), name) for name in node.inputs)
        builder.again(node, node.op, inputs)
        if node.name in roundings:
            builder.add(names[node.name], roundings[node.name], [node.name])
    return builder.changed(graph, sites={})


def _exact(graph: Graph, name: str) -> str:
    """Return the value that a value was rounded from, or the value itself."""
    node = graph.by_name[name]
    return _exact(graph, node.inputs[0]) if isinstance(node.op, FakeQuantize) else name


def _replaced(graph: Graph, roundings: Mapping[str, FakeQuantize]) -> set[str]:
    """Return the roundings of a graph that nothing reads once there are new ones."""
    readers = graph.readers()
    outputs = {output.node for output in graph.outputs}
    found: set[str] = set()
    for node in reversed(graph.nodes):
        again = isinstance(node.op, FakeQuantize) and _exact(graph, node.name) in roundings
        others = [
            reader
            for reader in readers[node.name]
            if reader not in found and not is_weighted(graph, reader)
        ]
        if again and not others and node.name not in outputs:
            found.add(node.name)
    return found


def is_weighted(graph: Graph, name: str) -> bool:
    """Whether a node multiplies its input by weights, as convolutions and matrix products do."""
    facts = graph.by_name[name].facts
    return bool(facts.macs and (facts.params or graph.by_name[name].shares))


def read_by_layers(graph: Graph) -> dict[str, bool]:
    """Return the values, except inputs, that layers with weights read; True for the last layer.

    Of values that are rounded already, those before rounding.
    """
    inputs = {node.name for node in graph.inputs}
    layers = [node for node in graph.nodes if is_weighted(graph, node.name)]
    found: dict[str, bool] = {}
    for layer in layers:
        for name in (_exact(graph, name) for name in layer.inputs):
            if name not in inputs:
                found[name] = found.get(name, False) or layer is layers[-1]
    return found
