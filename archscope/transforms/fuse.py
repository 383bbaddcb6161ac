"""Batch norms folded into the layers before them: the form in which networks are deployed.

At inference a batch norm scales and shifts each channel, which a convolution or a linear layer
can do itself: w' = w * s and b' = (b - mean) * s + shift, with s = scale / sqrt(var + eps).
"""

from __future__ import annotations

from msgspec import structs

from archscope.ir import Builder, Graph, Output
from archscope.ops.norm import BatchNorm


def fuse(graph: Graph) -> Graph:
    """Return the graph for inference with batch norms folded into the layers before them.

    Those layers get a bias. Parts that serve only training are left out, because a folded norm
    cannot be trained.
    """
    graph = graph.inference()
    gone = foldable(graph)
    layers = set(gone.values())
    builder = Builder()
    for node in graph.nodes:
        if node.name in gone:
            continue
        op = structs.replace(node.op, bias=True) if node.name in layers else node.op
        inputs = (gone.get(name, name) for name in node.inputs)
        builder.again(node, op, inputs)
    outputs = tuple(
        Output(output.name, gone.get(output.node, output.node), output.weight, output.train_only)
        for output in graph.outputs
    )
    # Published numbers are about the network as it was.
    return structs.replace(
        graph,
        name=f"{graph.name}_fused",
        nodes=tuple(builder.nodes.values()),
        outputs=outputs,
        reference=(),
    )


def foldable(graph: Graph) -> dict[str, str]:
    """Return the batch norms that can be folded, each with the layer that it is folded into.

    A norm can be folded if it is the only reader of its layer, which is no output. Where layers
    share weights, each must be followed by a norm, and these must share theirs, too.
    """
    readers = graph.readers()
    outputs = {output.node for output in graph.outputs}
    found: dict[str, str] = {}
    for node in graph.nodes:
        if not isinstance(node.op, BatchNorm):
            continue
        (before,) = node.inputs
        alone = readers[before] == [node.name] and before not in outputs
        tied = graph.by_name[before].new_params is not None  # to weights that it would not scale
        if alone and not tied and graph.by_name[before].op.absorbs_scale:
            found[node.name] = before
    families: dict[str, set[str]] = {}  # the nodes that share weights, by their owner
    for node in graph.nodes:
        families.setdefault(node.shares or node.name, set()).add(node.name)
    family_of = {name: family for family in families.values() for name in family}
    norm_of = {layer: norm for norm, layer in found.items()}
    for layer, norm in norm_of.items():
        # Of a convolution and its transpose, output channels lie along different axes.
        kinds = {type(graph.by_name[other].op) for other in family_of[layer]}
        norms = {norm_of.get(other) for other in family_of[layer]}
        if len(kinds) > 1 or norms != family_of[norm]:
            del found[norm]
    return found
