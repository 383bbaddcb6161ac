"""Prepare a trained network for quantization-aware training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor

from archscope.build import Network
from archscope.ir import Graph
from archscope.module_names import module_path
from archscope.nn.rounding import best_scales, level_range
from archscope.ops.fake_quantize import FakeQuantize
from archscope.train.rounded_weights import END_BITS
from archscope.transforms.round_inputs import read_by_layers, round_inputs

SAMPLE = 20_000
"""Maximum number of activations per batch that determine the rounding."""


def rate_factor(bits: int) -> float:
    """Return the factor of the learning rate for training on in a number of bits.

    Trained weights need small steps, as in LSQ (Esser et al. 2020). With a single bit, weights must
    change their sign, which takes large ones.
    """
    return 1.0 if bits == 1 else 1 / 3


def rounded_graph(network: Network, batches: Iterable[Tensor], bits: int) -> Graph:
    """Return the graph with the inputs of layers with weights rounded to a number of bits.

    The step between levels is learned, starting from that of the smallest squared error on some
    batches (N, ...). Levels are those of `level_range`. The last layer's input has at least 8 bits.
    """
    wanted = read_by_layers(network.graph)
    seen: dict[str, list[Tensor]] = defaultdict(list)

    def probe(name: str, value: Tensor) -> Tensor:
        if name in wanted:
            flat = value.flatten()
            seen[name].append(flat[:: max(1, len(flat) // SAMPLE)].clone())
        return value

    network.eval()
    with torch.no_grad():
        for batch in batches:
            network.run((batch,), probe)
    return round_inputs(
        network.graph,
        {
            name: _rounding(torch.cat(seen[name]), max(bits, END_BITS) if last else bits)
            for name, last in wanted.items()
        },
    )


def without_replaced_steps(
    weights: Mapping[str, Tensor], before: Graph, after: Graph
) -> dict[str, Tensor]:
    """Return weights of a graph without the steps of roundings that `rounded_graph` replaced."""
    new = {
        module_path(node.name)
        for node in after.nodes
        if node.name in before.by_name and before.by_name[node.name].op != node.op
    }
    return {name: weight for name, weight in weights.items() if name.rpartition(".")[0] not in new}


def _rounding(values: Tensor, bits: int) -> FakeQuantize:
    zero, levels = level_range(bits, signed=bool((values < 0).any()))
    scale = best_scales(values[None], zero, levels).item()
    return FakeQuantize(scale=float(f"{scale:.6g}"), zero=zero, levels=levels, learned=True)
