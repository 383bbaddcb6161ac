"""Convert the weights of a network for deployment: fold norms, merge parallel branches."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from archscope.build import Network, build
from archscope.ir import Graph
from archscope.module_names import module_path
from archscope.ops.conv import Conv
from archscope.transforms.fuse import fuse
from archscope.transforms.fused_arrays import fused_arrays, norm_scale
from archscope.transforms.reparameterize import MergedBranches, merge, mergeable, offsets


def fused_network(network: Network) -> Network:
    """Return the network of `fuse(graph)` in eval mode; it computes the same up to rounding.

    It is on the device of the given one.
    """
    fused = build(fuse(network.graph), device="meta").eval()
    state = network.state_dict()
    fused.load_state_dict(fused_weights(network.graph, state), assign=True)
    for name, buffer in network.named_buffers(remove_duplicate=False):
        if name not in state:  # what follows from the graph, such as indices
            path, _, word = name.rpartition(".")
            fused.get_submodule(path).register_buffer(word, buffer.clone(), persistent=False)
    device = next((tensor.device for tensor in state.values()), torch.device("cpu"))
    return fused.to(device)


def fused_weights(graph: Graph, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with which `fuse(graph)` computes the same as `graph` with `weights`."""
    arrays = fused_arrays(graph, {name: tensor.cpu().numpy() for name, tensor in weights.items()})
    return {name: torch.from_numpy(array) for name, array in arrays.items()}


def reparameterized_weights(graph: Graph, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights with which `reparameterize(graph)` computes the same as `graph`."""
    left, graph = fused_weights(graph, weights), fuse(graph)
    while found := mergeable(graph):
        for branches in found:
            _merge(graph, branches, left)
        graph = merge(graph, found)
    return left


def _merge(graph: Graph, found: MergedBranches, weights: dict[str, Tensor]) -> None:
    """Replace the weights of branches by those of the convolution that computes them all."""
    conv = graph.by_name[found.largest]
    model = weights[f"{module_path(conv.name)}.weight"]
    kernel = torch.zeros(model.shape, dtype=torch.float64)
    bias = torch.zeros(len(model), dtype=torch.float64)
    for name in found.branches:
        node, at = graph.by_name[name], module_path(name)
        places = offsets(graph, conv.name, name)
        assert places is not None
        if isinstance(node.op, Conv) and name != found.source:
            part = weights.pop(f"{at}.weight").double()
            bias += weights.pop(f"{at}.bias").double() if node.op.bias else 0.0
        else:
            scale, shift = torch.ones(len(model)).double(), torch.zeros(len(model)).double()
            if name != found.source:
                words = [key for key in weights if key.rpartition(".")[0] == at]
                held = {word: weights.pop(word).numpy() for word in words}
                scale, shift = map(torch.from_numpy, norm_scale(graph, name, held))
            each = model.shape[1]
            rows = torch.arange(len(model))
            part = torch.zeros(len(model), each, *(1 for _ in places), dtype=torch.float64)
            part[rows, rows % each] = scale.view(-1, *(1 for _ in places))
            bias += shift
        taps = [
            slice(first, first + step * (size - 1) + 1, step)
            for (first, step), size in zip(places, part.shape[2:], strict=True)
        ]
        kernel[(slice(None), slice(None), *taps)] += part
    at = module_path(found.name)
    weights[f"{at}.weight"] = kernel.to(model.dtype)
    weights[f"{at}.bias"] = bias.to(model.dtype)
