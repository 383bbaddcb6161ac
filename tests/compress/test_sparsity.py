"""Weights set to zero: the smallest, as many as were asked for, and the bytes counted by hand."""

from __future__ import annotations

import pytest
import torch

from archscope.build import build
from archscope.compress import quantize_weights, sizes
from archscope.compress.importance import Scope
from archscope.compress.sparsity import sparsify
from archscope.errors import OptionError
from archscope.ir import Graph
from tests.nets import Net, chain


def net() -> Graph:
    return chain(
        ("conv", {"out": 16, "kernel": 3, "bias": False}),
        ("batchnorm", {}),
        ("flatten", {}),
        ("linear", {"out": 10}),
        x=(3, 8, 8),
    )


@pytest.mark.parametrize("sparsity", [0.1, 0.5, 0.9, 0.995])
def test_the_smallest_of_all_weights_are_zero(sparsity: float) -> None:
    weights = build(net()).state_dict()
    sparse = sparsify(net(), weights, sparsity)
    before = torch.cat([weights[name].abs().flatten() for name in sparse.masks])
    after = torch.cat([sparse.weights[name].flatten() for name in sparse.masks])
    assert sparse.sparsity == pytest.approx(sparsity, abs=1e-4)
    assert int((after != 0).sum()) == len(before) - round(sparsity * len(before))
    assert before[after == 0].max() < before[after != 0].min()
    assert torch.equal(sparse.weights["batchnorm2.weight"], weights["batchnorm2.weight"])
    build(net()).load_state_dict(sparse.weights, strict=True)


def test_each_layer_alone() -> None:
    weights = build(net()).state_dict()
    weights["conv1.weight"] *= 1e-3
    together = sparsify(net(), weights, 0.5)
    alone = sparsify(net(), weights, 0.5, scope="layer")
    assert together.layers[0].left == 0
    assert [2 * layer.left for layer in alone.layers] == [layer.weights for layer in alone.layers]


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_of_equal_weights_as_many_are_zero_as_of_others(scope: Scope) -> None:
    weights = {name: w.sign() for name, w in build(net()).state_dict().items()}
    sparse = sparsify(net(), weights, 0.25, scope=scope)
    assert sparse.sparsity == pytest.approx(0.25, abs=1e-3)
    assert all(layer.left == pytest.approx(0.75 * layer.weights) for layer in sparse.layers)


def test_several_weights_of_a_layer_have_their_own_names() -> None:
    graph = chain(("lstm", {"hidden": 4}), ("flatten", {}), ("linear", {"out": 2}), x=(3, 5))
    weights = build(graph).state_dict()
    names = ["lstm1.weight_ih_l0", "lstm1.weight_hh_l0", "linear3"]
    assert [layer.name for layer in sparsify(graph, weights, 0.5).layers] == names
    assert [layer.name for layer in quantize_weights(graph, weights).layers] == names


def test_zeros_do_not_count_as_left() -> None:
    weights = build(net()).state_dict()
    weights["linear4.weight"] = torch.zeros_like(weights["linear4.weight"])
    assert sparsify(net(), weights, 1e-6).layers[-1].left == 0


def test_zeros_stay_zeros() -> None:
    weights = {name: torch.zeros_like(w) for name, w in build(net()).state_dict().items()}
    assert sparsify(net(), weights, 0.5).sparsity == 1


def test_bytes_by_hand() -> None:
    graph = chain(("linear", {"out": 2}), x=(100,))
    weights = {"linear1.weight": torch.full((2, 100), 1e-3), "linear1.bias": torch.zeros(2)}
    weights["linear1.weight"].view(-1)[[0, 99, 100, 164]] = 1.0
    sparse = sparsify(graph, weights, 0.98)
    assert sparse.dense_bytes == 4 * 202
    assert sparse.csr_bytes == 4 * 2 + 4 * 4 + 4 * 4 + 4 * 3
    # Distances of 1, 99, 1 and 64; with 5 bits no more than 32: 3 and 1 zeros between.
    assert sparse.fillers == 4
    assert sparse.relative_bytes == 4 * 2 + 4 + 8 * (32 + 5) // 8


@pytest.mark.parametrize("sparsity", [-0.1, 0.0, 1.0, 1.5])
def test_refused_shares(sparsity: float) -> None:
    with pytest.raises(OptionError, match="expected a sparsity above 0% and below 100%"):
        sparsify(net(), build(net()).state_dict(), sparsity)


def test_a_network_without_layers() -> None:
    graph = chain(("relu", {}), x=(3, 8, 8))
    with pytest.raises(OptionError, match="'net' has no layer with weights"):
        sparsify(graph, {}, 0.5)


def test_only_learned_kernels_become_sparse_or_rounded() -> None:
    """Factors, embeddings, lengths of weight norm and constant filters stay."""
    net = Net(x=(3, 8, 8))
    net("weight_norm_conv", "x", name="first", out=8, kernel=3)
    net("fixed_conv", "first", name="blur", out=8, kernel=3, groups=8)
    net("learned", "blur", name="scale", size=(8, 1, 1), function="mul")
    net("position_embedding", "scale", name="places")
    net("conv", "places", name="last", out=4)
    graph = net.graph()
    network = build(graph)
    for parameter in network.parameters():
        torch.nn.init.uniform_(parameter, 0.5, 1.5)
    weights = network.state_dict()
    kernels = {"first.weight_v", "last.weight"}
    sparse = sparsify(graph, weights, 0.9).weights
    rounded = quantize_weights(graph, weights, bits=2).weights
    for found in (sparse, rounded):
        assert {name for name, w in found.items() if not torch.equal(w, weights[name])} == kernels
    assert all(not layer.error for layer in sizes(graph, rounded).layers)
