"""Memory for the backward pass against torch's saved-tensor hooks."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks

from archscope.analysis.memory import memory
from archscope.build import build
from archscope.ir import Graph
from archscope.verify.check import Check, compare

BATCH = 2  # batch norm refuses to train on one value


def check(graph: Graph) -> Check:
    """Run the forward pass of a training step and sum the tensors that autograd keeps."""
    network = build(graph).train()
    weights = {p.untyped_storage().data_ptr() for p in (*network.parameters(), *network.buffers())}
    current: dict[int, int] = {}
    everything: dict[int, int] = {}
    alive: list[Tensor] = []  # so that no storage is freed and its address used again

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            alive.append(tensor.detach())
            current[storage.data_ptr()] = storage.nbytes()
            everything[storage.data_ptr()] = storage.nbytes()
        return tensor

    seen: dict[str, int] = {}

    def probe(name: str, value: Tensor) -> Tensor:
        seen[name] = sum(current.values())
        current.clear()
        alive.append(value.detach())
        return value

    with saved_tensors_hooks(pack, lambda tensor: tensor):
        network.run(tuple(torch.rand(BATCH, *node.out) for node in graph.inputs), probe)
    maps = memory(graph)
    pairs = []
    for node in graph.nodes:
        kept = maps.kept.get(node.name)
        ours = 0
        if kept is not None:
            numbers = sum(maps.sizes[name] for name in kept.maps) + kept.elements
            ours = (numbers * 4 + kept.indices * 8) * BATCH + kept.fixed * 4
        pairs.append((node.name, ours, seen[node.name]))
    pairs.append(("total", maps.saved_bytes(BATCH, 4), sum(everything.values())))
    return compare("saved bytes", "torch saved-tensor hooks", f"bytes for {BATCH} images", pairs)
