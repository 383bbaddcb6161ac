"""Insert batch norms behind layers that have none."""

from __future__ import annotations

from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph
from archscope.module_names import free_name
from archscope.ops.norm import BatchNorm
from archscope.transforms.round_inputs import is_weighted

SUFFIX = "_norm"


def layers_without_norm(graph: Graph) -> list[str]:
    """Return the layers with weights whose values nothing normalises, in order.

    Those that `fuse` could not fold a norm into, and those that are outputs, are left out.
    """
    readers = graph.readers()
    sharing = {node.shares or node.name for node in graph.nodes if node.shares}
    outputs = {output.node for output in graph.outputs}
    return [
        node.name
        for node in graph.nodes
        if node.op.absorbs_scale
        and is_weighted(graph, node.name)
        and node.new_params is None
        and (node.shares or node.name) not in sharing
        and node.name not in outputs
        and not any(graph.by_name[name].op.normalises for name in readers[node.name])
    ]


def insert_norms(graph: Graph, layers: list[str]) -> tuple[Graph, dict[str, str]]:
    """Return the graph with a batch norm behind each of some layers, and the norms' names.

    Everything that read a layer reads its norm. `fuse` takes the norms out again.
    """
    builder = GraphBuilder()
    taken = set(graph.by_name)
    norms: dict[str, str] = {}
    for node in graph.nodes:
        builder.again(node, node.op, (norms.get(name, name) for name in node.inputs))
        if node.name in layers:
            name = free_name(f"{node.name}{SUFFIX}", taken)
            norms[node.name] = builder.add(name, BatchNorm(), [node.name])
    return builder.changed(graph, sites={}), norms
