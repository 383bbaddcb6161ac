"""Shapes against a real forward pass."""

from __future__ import annotations

import torch
from torch import Tensor

from archscope.build import build
from archscope.ir import Graph
from archscope.verify.check import Check, compare


def check(graph: Graph) -> Check:
    """Run a random image through the module and compare the shape of every value."""
    seen: dict[str, tuple[int, ...]] = {}

    def probe(name: str, value: Tensor) -> Tensor:
        seen[name] = tuple(value.shape[1:])
        return value

    network = build(graph).eval()
    with torch.inference_mode():
        network.run(tuple(torch.rand(1, *node.out) for node in graph.inputs), probe)
    pairs = [(node.name, node.out, seen[node.name]) for node in graph.nodes]
    return compare("shapes", "torch forward pass", "shape", pairs)
