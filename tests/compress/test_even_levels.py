"""Bits of weights that rounding left on even levels, found again from their values."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from archscope.build import build
from archscope.compress.even_levels import level_bits, level_bytes
from archscope.compress.levels import uniform
from archscope.compress.quantization import quantize_weights
from archscope.compress.storage import sizes
from archscope.compress.stored_weights import with_given_weights
from archscope.fused import fused_weights
from archscope.nn.rounding import best_scales, level_range, rounded
from archscope.train.rounded_weights import RoundedWeights
from archscope.transforms.fuse import fuse
from tests.nets import chain


def on_all_levels(bits: int, *, signed: bool, channels: int, seed: int) -> torch.Tensor:
    """Return weights (channels, N) that take every level of `level_range` in random order."""
    torch.manual_seed(seed)
    zero, levels = level_range(bits, signed=signed)
    numbers = torch.arange(levels) - zero
    rows = torch.stack([numbers[torch.randperm(levels)] for _ in range(channels)])
    scales = torch.randn(channels, 1).exp() * (torch.rand(channels, 1) - 0.5).sign()
    return rows * scales


@given(st.integers(1, 8), st.booleans(), st.integers(1, 20), st.integers(0, 10**6))
def test_the_levels_of_training_are_found(
    bits: int, signed: bool, channels: int, seed: int
) -> None:
    weights = on_all_levels(bits, signed=signed, channels=channels, seed=seed)
    weights[seed % channels :: 3] *= seed % 2  # some channels without weights
    present = bool(weights.any())
    assert level_bits(weights.numpy()) == (bits if present else 1)
    folded = weights * torch.randn(channels, 1)
    assert level_bits(folded.numpy()) == (bits if present else 1)


@pytest.mark.parametrize("bits", range(1, 9))
def test_rounded_normal_weights(bits: int) -> None:
    torch.manual_seed(bits)
    weights = torch.randn(12, 40, 3, 3)
    zero, levels = level_range(bits, signed=True)
    steps = best_scales(weights.flatten(1), zero, levels).view(-1, 1, 1, 1)
    assert level_bits(rounded(weights, steps, zero, levels).numpy()) == bits
    if bits > 1:
        assert level_bits(uniform(weights, bits).weights.numpy()) == bits


@pytest.mark.parametrize(
    ("rows", "bits"),
    [
        ([[0, 0], [0, 0]], 1),
        ([[0, 0.3], [-0.7, 0]], 1),  # 0 or 1 times a scale of either sign
        ([[0.3, -0.3], [0.7, 0.7]], 1),
        ([[0, 0.3, -0.3]], 2),
        ([[0.3, -0.3, 0], [0, 0.2, 0.4]], 2),  # -1 to 1, and -2 to 0 times -0.2
        ([[0.1, 0.3, -0.1]], 2),  # odd multiples of 0.1
        ([[0.1, 0.3, -0.1], [0.1, 0, 0.1]], 3),  # zero is none of those
        ([[0, 1, 2, 3]], 2),
        ([[0, 1, 2, 3], [1, -1, 0, 0]], 3),
        ([[6, 10, 15]], 4),  # none divides another
        ([[128, 1, -127]], 8),
        ([[128, 1, -128]], None),
        ([[255, 1, -253]], 8),
        ([[256, 1]], None),
        ([[1, 2**0.5, 3**0.5]], None),
        ([[1, 1e-9]], None),
        ([[1, 1.00001]], None),
        ([[np.inf, 1]], None),
        ([[np.nan, 1]], None),
    ],
)
def test_by_hand(rows: list[list[float]], bits: int | None) -> None:
    assert level_bits(np.array(rows, np.float32)) == bits


def test_every_channel_must_have_levels() -> None:
    weights = on_all_levels(2, signed=True, channels=3000, seed=0).numpy()
    assert level_bits(weights) == 2
    weights[-1] = [0.1, 0.2, 0.37, 0.4001]
    assert level_bits(weights) is None


def test_few_weights_are_smaller_as_float32() -> None:
    single = np.array([[0.3], [0.7]], np.float32)  # as large as two scales alone
    assert level_bytes(single) == (8, None)
    assert level_bytes(np.array([[0.3, -0.3], [0.7, 0.7]], np.float32)) == (8 + 1, 1)
    assert level_bytes(np.zeros((0, 3), np.float32)) == (0, None)


def test_bytes_of_a_network_by_hand() -> None:
    graph = chain(
        ("conv", {"out": 4, "kernel": 3, "bias": False}),
        ("batchnorm", {}),
        ("conv", {"out": 2, "kernel": 1}),
        ("flatten", {}),
        ("linear", {"out": 3}),
        x=(2, 3, 3),
    )
    torch.manual_seed(0)
    state = build(graph).state_dict()
    kernel, norm, second, _, matrix = [node.name for node in graph.nodes[1:]]
    for name, bits in ((kernel, 1), (matrix, 3)):
        weight = state[f"{name}.weight"]
        zero, levels = level_range(bits, signed=True)
        steps = best_scales(weight.flatten(1), zero, levels)
        state[f"{name}.weight"] = rounded(
            weight, steps.view(-1, *(1 for _ in weight.shape[1:])), zero, levels
        )
    state[f"{norm}.weight"] = torch.tensor([-1.5, 0.0, 2.0, 0.1])
    state[f"{norm}.running_var"] = torch.tensor([0.3, 1.0, 2.0, 5.0])
    found = sizes(graph, state)
    layers = {layer.name: layer for layer in found.layers}
    assert {name: layer.level_bits for name, layer in layers.items()} == {
        kernel: 1, norm: None, second: None, matrix: 3,
    }  # fmt: skip
    assert {name: layer.bytes["levels"] for name, layer in layers.items()} == {
        kernel: 4 * 4 + 4 * 18 // 8,
        norm: 4 * 16,
        second: 4 * (2 * 4 + 2),
        matrix: 4 * 3 + -(-3 * 2 * 3 // 8) + 4 * 3,
    }
    fused = sizes(fuse(graph), fused_weights(graph, state))
    assert fused.layers[0].bytes["levels"] == 4 * 4 + 4 * 18 // 8 + 4 * 4  # and biases
    assert fused.layers[0].level_bits == 1


@pytest.mark.parametrize("groups", [1, 2, 6])
@pytest.mark.parametrize("bits", [1, 3])
def test_folded_norms_keep_the_levels_of_transposed_convolutions(bits: int, groups: int) -> None:
    graph = chain(
        ("conv_transpose", {"out": 12, "kernel": 3, "groups": groups, "bias": False}),
        ("batchnorm", {}),
        x=(6, 4, 4),
    )
    torch.manual_seed(0)
    network = build(graph)
    kernel, norm = (node.name for node in graph.nodes[1:])
    if bits == 1:
        held = RoundedWeights(torch.nn.Sequential(torch.nn.Linear(2, 2), network,
                                                  torch.nn.Linear(2, 2)), 1)  # fmt: skip
        with held.applied():
            state = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    else:
        state = dict(
            quantize_weights(graph, network.state_dict(), method="uniform", bits=3).weights
        )
    weight = state[f"{kernel}.weight"].view(groups, 6 // groups, 12 // groups, 9)
    for group, channel in itertools.product(range(groups), range(12 // groups)):
        values = {round(abs(value), 6) for value in weight[group, :, channel].flatten().tolist()}
        assert len(values) <= 2 ** max(bits - 1, 0)  # of one scale each
    state[f"{norm}.weight"], state[f"{norm}.running_var"] = torch.randn(12), torch.rand(12) + 0.1
    stored = 4 * 12 + -(-6 * 12 // groups * 9 * bits // 8)
    plain = sizes(graph, state).layers[0]
    fused = sizes(fuse(graph), fused_weights(graph, state)).layers[0]
    assert (plain.level_bits, plain.bytes["levels"]) == (bits, stored)
    assert (fused.level_bits, fused.bytes["levels"]) == (bits, stored + 4 * 12)
    as_stored = with_given_weights(graph, state)
    assert [node.weight_bits for node in fuse(as_stored).nodes] == [None, bits]
    assert fuse(as_stored).nodes[1].weight_bytes == stored + 4 * 12
