"""Turn fully connected layers into convolutions, so that a classifier accepts larger images.

A linear layer on a flattened C x H x W map is a convolution with an H x W window and the same
weights, reshaped. Converted in this way, VGG16 slides over a 384 x 384 image and yields 6 x 6 class
scores (Long, Shelhamer and Darrell 2015, arXiv:1411.4038).
"""

from __future__ import annotations

from math import prod

from archscope.errors import GraphError
from archscope.graph_builder import GraphBuilder
from archscope.ir import POINTWISE, Graph, Node, Shape
from archscope.ops.conv import Conv
from archscope.ops.geometry import short
from archscope.ops.linear import Linear
from archscope.ops.reshape import Flatten


def fully_convolutional(graph: Graph) -> Graph:
    """Return the graph with every linear layer as a convolution, without the flatten before it.

    The weights of a linear layer, shape (out, C * H * W), are those of the convolution as
    (out, C, H, W). Raises GraphError if there is no linear layer, or if a flattened map reaches
    an operator that needs it flat.
    """
    builder = GraphBuilder()
    renamed: dict[str, str] = {}  # removed flattens, by the node that they read
    flattened: dict[str, Shape] = {}  # the shape of the map of each value that was flat
    found = False
    for node in graph.nodes:
        inputs = tuple(renamed.get(name, name) for name in node.inputs)
        flat = [name for name in inputs if name in flattened]
        if isinstance(node.op, Flatten):
            renamed[node.name] = inputs[0]
            flattened[inputs[0]] = builder.nodes[inputs[0]].out
            continue
        # A norm of weights, and constant weights, are no convolution's.
        if isinstance(node.op, Linear) and node.op.absorbs_scale and flat:
            found = True
            window = short(flattened[inputs[0]][1:])
            op = Conv(out=node.out[0], kernel=window, bias=node.op.bias)
            builder.again(node, op, inputs)
            flattened[node.name] = builder.nodes[node.name].out
            continue
        if flat:
            _check_slides(node, prod(flattened[inputs[0]][1:]))
        builder.again(node, node.op, inputs)
        if flat:
            flattened[node.name] = builder.nodes[node.name].out
    if not found:
        raise GraphError(f"'{graph.name}' has no linear layer after a flatten")
    return Graph(f"{graph.name}_convolutional", tuple(builder.nodes.values()), graph.outputs)


def _check_slides(node: Node, positions: int) -> None:
    """Raise GraphError unless an operator does the same to a map as to the flattened map."""
    numbers = node.facts.params + node.facts.buffers  # with more than 1, positions differ
    same = node.op.valuewise and numbers <= 1
    if not same and (positions > 1 or node.facts.window != POINTWISE):
        raise GraphError(
            f"'{node.name}' ({node.op.name}) reads a flattened map and cannot slide over it"
        )
