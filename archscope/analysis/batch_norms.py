"""Find the batch norms that can be folded into the layers before them."""

from __future__ import annotations

from collections.abc import Collection

from archscope.ir import Graph


def foldable(graph: Graph, absorbing: Collection[str] = ()) -> dict[str, str]:
    """Return the batch norms that can be folded, mapped to the layers that absorb them.

    A norm can be folded if it alone reads its layer, and the layer is not an output. If layers
    share weights, each must be followed by a norm, and these must share theirs, too. `absorbing`
    names inputs of a part of a network that come from layers that can absorb a norm.
    """
    norms = [node for node in graph.nodes if node.op.scales_channels]
    if not norms:
        return {}
    readers = graph.readers()
    outputs = {output.node for output in graph.outputs}
    found: dict[str, str] = {}
    for node in norms:
        (before,) = node.inputs
        alone = readers[before] == [node.name] and before not in outputs
        tied = graph.by_name[before].new_params is not None  # to weights that it would not scale
        if alone and not tied and (before in absorbing or graph.by_name[before].op.absorbs_scale):
            found[node.name] = before
    _keep_whole_families(graph, found)
    return found


def _keep_whole_families(graph: Graph, found: dict[str, str]) -> None:
    """Drop norms that follow only some of the layers that share weights, or differ among them."""
    if not any(node.shares for node in graph.nodes):
        return
    families: dict[str, set[str]] = {}  # the nodes that share weights, by their owner
    for node in graph.nodes:
        families.setdefault(node.shares or node.name, set()).add(node.name)
    family_of = {name: family for family in families.values() for name in family}
    norm_of = {layer: norm for norm, layer in found.items()}
    for layer, norm in norm_of.items():
        # A convolution and its transpose have their output channels along different axes.
        kinds = {type(graph.by_name[other].op) for other in family_of[layer]}
        norms = {norm_of.get(other) for other in family_of[layer]}
        if len(kinds) > 1 or norms != family_of[norm]:
            del found[norm]
