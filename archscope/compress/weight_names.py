"""Which tensors of a state dict are kernels and matrices, by their names."""

from __future__ import annotations

from archscope.ir import Graph
from archscope.module_names import module_path
from archscope.ops.conv import ConvTranspose

LENGTH = "weight_g"
"""The lengths of the filters of a layer with weight norm; `weight_v` are their directions."""


def transposed_groups(graph: Graph) -> dict[str, int]:
    """Return the groups of the transposed convolutions of a network by the names of their weights.

    The output channels of their weights are not along the first axis.
    """
    return {
        f"{module_path(node.name)}.weight": node.op.groups
        for node in graph.nodes
        if isinstance(node.op, ConvTranspose)
    }


def is_weight(name: str, axes: int) -> bool:
    """Return whether a tensor of a layer is a kernel or matrix, not a bias, norm or factor."""
    kind = name.rpartition(".")[2]
    return axes > 1 and "weight" in kind and kind != LENGTH
