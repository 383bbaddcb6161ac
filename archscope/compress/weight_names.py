"""Which weights have their output channels along another axis than the first."""

from __future__ import annotations

from archscope.ir import Graph
from archscope.module_names import module_path
from archscope.ops.conv import ConvTranspose


def transposed_groups(graph: Graph) -> dict[str, int]:
    """Return the groups of the transposed convolutions of a network by the names of their weights.

    The output channels of their weights are not along the first axis.
    """
    return {
        f"{module_path(node.name)}.weight": node.op.groups
        for node in graph.nodes
        if isinstance(node.op, ConvTranspose)
    }
