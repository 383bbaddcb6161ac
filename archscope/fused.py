"""A network as it is deployed, weights and all: norms folded, parallel branches merged."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from archscope.analysis.batch_norms import foldable
from archscope.build import Network, build
from archscope.ir import Graph
from archscope.module_names import module_path
from archscope.ops.conv import Conv, ConvTranspose
from archscope.ops.norm import BatchNorm
from archscope.transforms.fuse import fuse
from archscope.transforms.reparameterize import MergedBranches, merge, mergeable, offsets


def fused_network(network: Network) -> Network:
    """Return a network of `fuse(graph)`, in eval mode, that computes the same but for rounding."""
    fused = build(fuse(network.graph), device="meta").eval()
    weights = fused_weights(network.graph, network.state_dict())
    fused.load_state_dict(weights, assign=True)
    return fused


def fused_weights(graph: Graph, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of `fuse(graph)` that make it compute what `graph` does with these.

    Sums are made in double precision, so that only the result is rounded.
    """
    graph = graph.inference()
    owners = {node.name for node in graph.nodes if node.shares is None}
    left = dict(weights)
    for norm, layer in foldable(graph).items():
        if norm not in owners:
            continue
        scale, shift = _scale(graph, norm, left)
        node = graph.by_name[layer]
        at = module_path(node.shares or layer)
        weight = left[f"{at}.weight"]
        bias = left.get(f"{at}.bias")
        if isinstance(node.op, ConvTranspose):
            # (in, out / groups, ...), where the groups lie behind one another along `in`.
            each = len(weight) // node.op.groups
            parts = scale.view(node.op.groups, 1, -1).expand(-1, each, -1)
            factors = parts.reshape(len(weight), -1, *(1 for _ in weight.shape[2:]))
        else:
            factors = scale.view(-1, *(1 for _ in weight.shape[1:]))
        left[f"{at}.weight"] = (weight.double() * factors).to(weight.dtype)
        before = 0.0 if bias is None else bias.double()
        left[f"{at}.bias"] = (before * scale + shift).to(weight.dtype)
    dropped = {module_path(norm) for norm in foldable(graph)}
    kept = {module_path(node.name) for node in graph.nodes} - dropped
    return {name: value for name, value in left.items() if name.rpartition(".")[0] in kept}


def reparameterized_weights(graph: Graph, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the weights of `reparameterize(graph)` that make it compute what `graph` does."""
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
                scale, shift = _scale(graph, name, weights)
                for word in [key for key in weights if key.rpartition(".")[0] == at]:
                    del weights[word]
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


def _scale(graph: Graph, norm: str, weights: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Return what a batch norm multiplies each channel by, and what it then adds."""
    at = module_path(norm)
    op = graph.by_name[norm].op
    assert isinstance(op, BatchNorm)
    mean = weights[f"{at}.running_mean"].double()
    scale = (weights[f"{at}.running_var"].double() + op.eps).rsqrt()
    if f"{at}.weight" in weights:
        scale = scale * weights[f"{at}.weight"].double()
        return scale, weights[f"{at}.bias"].double() - mean * scale
    return scale, -mean * scale
