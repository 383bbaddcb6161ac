"""Prepare a trained network for quantization-aware training."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import torch
from msgspec import Struct
from torch import Tensor

from archscope.build import Network
from archscope.ir import Graph
from archscope.module_names import module_path
from archscope.nn.rounding import best_scales, level_range
from archscope.ops.fake_quantize import FakeQuantize
from archscope.ops.norm import BatchNorm
from archscope.train.rounded_weights import END_BITS
from archscope.transforms.insert_norms import insert_norms, layers_without_norm
from archscope.transforms.round_inputs import read_by_layers, round_inputs

SAMPLE = 20_000
"""Maximum number of activations per batch that determine the rounding."""

FEW_BITS = 2
"""Most bits that change a network so much that it is trained almost anew."""


def rate_factor(bits: int) -> float:
    """Return the factor of the learning rate for training on in a number of bits.

    Trained weights need small steps, as in LSQ (Esser et al. 2020). With one or two bits, many of
    them must change their level, which takes large ones.
    """
    return 1.0 if bits <= FEW_BITS else 1 / 3


class Rounded(Struct, frozen=True, eq=False):
    """A graph that rounds the inputs of its layers with weights, and what it has beyond that."""

    graph: Graph
    norms: tuple[str, ...]  # the batch norms that were added
    weights: dict[str, Tensor]  # of these norms


def rounded_network(network: Network, batches: Iterable[Tensor], bits: int) -> Rounded:
    """Return the network with the inputs of layers with weights rounded to a number of bits.

    The step between levels is learned, starting from that of the smallest squared error on some
    batches (N, ...). Levels are those of `level_range`. The last layer's input has at least 8 bits.
    With at most `FEW_BITS` bits, layers without a batch norm get one, as in XNOR-Net's blocks
    (Rastegari et al. 2016), which at first changes nothing.
    """
    graph = network.graph
    wanted = read_by_layers(graph)
    layers = layers_without_norm(graph) if bits <= FEW_BITS else []
    seen: dict[str, list[Tensor]] = defaultdict(list)
    moments: dict[str, Tensor] = {}

    def probe(name: str, value: Tensor) -> Tensor:
        if name in wanted:
            flat = value.flatten()
            seen[name].append(flat[:: max(1, len(flat) // SAMPLE)].clone())
        if name in layers:
            moments[name] = moments.get(name, 0) + _moments(value)
        return value

    network.eval()
    with torch.no_grad():
        for batch in batches:
            network.run((batch,), probe)
    rounded = round_inputs(
        graph,
        {
            name: _rounding(torch.cat(seen[name]), max(bits, END_BITS) if last else bits)
            for name, last in wanted.items()
        },
    )
    normalised, norms = insert_norms(rounded, layers)
    weights: dict[str, Tensor] = {}
    for layer, norm in norms.items():
        op = normalised.by_name[norm].op
        assert isinstance(op, BatchNorm)
        for word, tensor in _unchanging(moments[layer], op.eps).items():
            weights[f"{module_path(norm)}.{word}"] = tensor
    return Rounded(normalised, tuple(norms.values()), weights)


def _moments(value: Tensor) -> Tensor:
    """Return the count, the sum and the sum of squares of each channel of (N, C, ...): (3, C)."""
    rows = value.movedim(1, 0).flatten(1)
    variance, mean = (moment.double() for moment in torch.var_mean(rows, 1, correction=0))
    return rows.shape[1] * torch.stack((torch.ones_like(mean), mean, variance + mean.square()))


def _unchanging(moments: Tensor, eps: float) -> dict[str, Tensor]:
    """Return the weights of a batch norm that returns the values it saw, given their moments."""
    count, total, squares = moments
    mean = total / count
    variance = (squares / count - mean.square()).clamp(min=0)
    found = {
        "weight": (variance + eps).sqrt(),
        "bias": mean,
        "running_mean": mean,
        "running_var": variance,
    }
    return {name: tensor.float() for name, tensor in found.items()}


def without_replaced_steps(
    weights: Mapping[str, Tensor], before: Graph, after: Graph
) -> dict[str, Tensor]:
    """Return weights of a graph without the steps of roundings that `rounded_network` replaced."""
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
