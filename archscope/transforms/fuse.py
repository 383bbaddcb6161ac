"""Fold batch norms into the layers before them, as for deployment.

At inference a batch norm scales and shifts each channel, which a convolution or a linear layer
can do itself: w' = w * s and b' = (b - mean) * s + shift, with s = scale / sqrt(var + eps).
"""

from __future__ import annotations

from msgspec import structs

from archscope.analysis.batch_norms import foldable
from archscope.graph_builder import GraphBuilder
from archscope.ir import Graph, Output


def fuse(graph: Graph) -> Graph:
    """Return the graph for inference with batch norms folded into the layers before them.

    These layers get a bias. Parts that serve only training are removed, because a folded norm
    cannot be trained.
    """
    graph = graph.inference()
    gone = foldable(graph)
    layers = set(gone.values())
    builder = GraphBuilder()
    for node in graph.nodes:
        if node.name in gone:
            continue
        op = structs.replace(node.op, bias=True) if node.name in layers else node.op
        inputs = (gone.get(name, name) for name in node.inputs)
        builder.again(node, op, inputs)
        if op != node.op and node.weight_bytes is not None:
            more = 4 * (builder.nodes[node.name].facts.biases - node.facts.biases)
            stored, bits = node.weight_bytes + more, node.weight_bits
            builder.count(node.name, node.new_params, stored, node.weight_macs, bits)
    outputs = tuple(
        Output(output.name, gone.get(output.node, output.node), output.weight, output.train_only)
        for output in graph.outputs
    )
    return builder.changed(graph, name=f"{graph.name}_fused", outputs=outputs)
