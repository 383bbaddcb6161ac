"""The form of a network for inference whose batch norms are folded into the layers before."""

from __future__ import annotations

from typing import Any

from torch import nn
from torch.nn.modules.conv import _ConvTransposeNd
from torch.nn.utils.fusion import fuse_conv_bn_eval, fuse_linear_bn_eval

from archscope.build import Network, module_path
from archscope.transforms.fuse import foldable


def fuse(network: Network) -> tuple[str, ...]:
    """Fold batch norms into convolutions and linear layers; return the norms that are gone.

    In place, of a network in eval mode; the outputs stay equal but for rounding. A norm is
    folded if it alone reads its layer and neither shares its weights: after
    `torch.nn.utils.fusion`. What is gone passes on its input.
    """
    graph = network.graph
    shared = {name for node in graph.nodes if node.shares for name in (node.name, node.shares)}
    gone = []
    for name, before in foldable(graph).items():
        if {name, before} & shared:
            continue
        norm: Any = network.part(name)
        layer: Any = network.part(before)
        if isinstance(layer, nn.Linear):
            merged: nn.Module = fuse_linear_bn_eval(layer, norm)
        else:
            merged = fuse_conv_bn_eval(layer, norm, transpose=isinstance(layer, _ConvTransposeNd))
        network.set_submodule(module_path(before), merged)
        network.set_submodule(module_path(name), nn.Identity())
        gone.append(name)
    return tuple(gone)
