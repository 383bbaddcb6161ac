"""The form of a network for inference whose batch norms are folded into the layers before."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from archscope.build import Network, module_path


def fuse(network: Network) -> tuple[str, ...]:
    """Fold batch norms into convolutions and linear layers; return the norms that are gone.

    In place, of a network in eval mode; the outputs stay equal but for rounding. A norm is
    folded if it alone reads its layer and neither shares its weights: after
    `torch.nn.utils.fusion`. What is gone passes on its input.
    """
    graph = network.graph
    readers = graph.readers()
    outputs = {output.node for output in graph.outputs}
    shared = {name for node in graph.nodes if node.shares for name in (node.name, node.shares)}
    gone = []
    for node in graph.nodes:
        if len(node.inputs) != 1 or not graph.by_name[node.inputs[0]].inputs:
            continue
        before = node.inputs[0]
        norm: Any = network.part(node.name)
        layer: Any = network.part(before)
        alone = readers[before] == [node.name] and before not in outputs
        if not isinstance(norm, _BatchNorm) or not alone or {node.name, before} & shared:
            continue
        if isinstance(layer, nn.Linear):
            merged: nn.Module = fuse_linear_bn_eval(layer, norm)
        elif isinstance(layer, _ConvNd):
            merged = fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, _ConvTransposeNd))
        else:
            continue
        network.set_submodule(module_path(before), merged)
        network.set_submodule(module_path(node.name), nn.Identity())
        gone.append(node.name)
    return tuple(gone)
