"""Rebuild a graph for other input shapes."""

from __future__ import annotations

from collections.abc import Mapping

from msgspec import structs

from archscope.errors import GraphError, ShapeError
from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph, Node, Shape


def with_inputs(graph: Graph, shapes: Mapping[str, Shape]) -> Graph:
    """Return the graph with other input shapes.

    Only shapes change: attributes that a spec computed from the old shapes stay the same. Raises
    GraphError for a name that is not an input, ShapeError for a node that rejects the new shape.
    """
    unknown = set(shapes) - {node.name for node in graph.inputs}
    if unknown:
        raise GraphError(f"'{min(unknown)}' is no input of '{graph.name}'")
    builder = GraphBuilder()
    for node in graph.nodes:
        op = node.op
        if node.name in shapes:
            op = structs.replace(op, size=shapes[node.name])
        try:
            builder.again(node, op, node.inputs)
        except ShapeError as error:
            raise ShapeError(f"{node.name}: {error}") from None
        if node.shares is not None:
            _check_shared(builder.nodes[node.name], builder.nodes[node.shares])
    nodes = tuple(builder.nodes.values())
    return structs.replace(graph, nodes=nodes)


def _check_shared(node: Node, owner: Node) -> None:
    if node.op.weights_key(*node.ins) != owner.op.weights_key(*owner.ins):
        wanted, got = owner.op.torch(*owner.ins), node.op.torch(*node.ins)
        raise ShapeError(f"{node.name}: cannot share weights: it is {got}, not {wanted}")
