"""A trained network made ready to be trained on in few bits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable

import torch
from torch import Tensor

from archscope.build import Network
from archscope.ir import Graph
from archscope.nn.rounding import best_scales
from archscope.ops.fake_quantize import FakeQuantize
from archscope.train.rounded_weights import END_BITS
from archscope.transforms.round_inputs import read_by_layers, round_inputs

SAMPLE = 20_000
"""So many numbers of a value, of each batch, decide how it is rounded."""


def rounded_graph(network: Network, batches: Iterable[Tensor], bits: int) -> Graph:
    """Return the graph with values of so many bits where layers with weights read them.

    The step between levels is that of the smallest squared error on some batches (N, ...). Values
    that are never negative have 2 ** bits levels from zero on, others 2 ** bits - 1 about zero;
    with one bit both have zero and one more. What the last layer reads has 8 bits at least.
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


def _rounding(values: Tensor, bits: int) -> FakeQuantize:
    signed = bits > 1 and bool((values < 0).any())
    zero = 2 ** (bits - 1) - 1 if signed else 0
    levels = 2 * zero + 1 if signed else 2**bits
    scale = best_scales(values[None], -zero, levels - 1 - zero).item()
    return FakeQuantize(scale=float(f"{scale:.6g}"), zero=zero, levels=levels)
