"""Weights in a few bits: changes, bytes computed by hand, and refusals."""

from __future__ import annotations

import pytest
import torch

from archscope.build import build
from archscope.compress.layout import Layout
from archscope.compress.quantization import METHODS, Method, quantize_weights
from archscope.compress.sparsity import sparsify
from archscope.compress.storage import sizes
from archscope.errors import OptionError
from archscope.ir import Graph
from tests.nets import chain


def net() -> Graph:
    return chain(
        ("conv", {"out": 16, "kernel": 3, "bias": False}),
        ("batchnorm", {}),
        ("flatten", {}),
        ("linear", {"out": 10}),
        x=(3, 8, 8),
    )


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("bits", [2, 4, 8])
def test_weights_have_few_values_and_zeros_stay(method: Method, bits: int) -> None:
    torch.manual_seed(0)
    sparse = sparsify(net(), build(net()).state_dict(), 0.5).weights
    found = quantize_weights(net(), sparse, method=method, bits=bits)
    for name, after in found.weights.items():
        before = sparse[name]
        if before.ndim < 2:
            assert torch.equal(after, before)
            continue
        assert not after[before == 0].any()
        rows = [after] if method == "codebook" else list(after)
        assert all(len(row.unique()) <= 2**bits for row in rows)
    build(net()).load_state_dict(found.weights, strict=True)
    errors = [layer.error for layer in found.layers]
    assert max(errors) < {2: 0.5, 4: 0.15, 8: 0.01}[bits]


def test_codebooks_take_what_size_counts() -> None:
    torch.manual_seed(0)
    sparse = sparsify(net(), build(net()).state_dict(), 0.8).weights
    found = quantize_weights(net(), sparse, bits=4)
    counted = sizes(net(), found.weights, layout=Layout((4, 4), (8, 5))).totals
    assert found.totals == {form: counted[form] for form in found.totals}


def test_uniform_bytes_by_hand() -> None:
    graph = chain(("linear", {"out": 2}), x=(8,))
    weights = {"linear1.weight": torch.zeros(2, 8), "linear1.bias": torch.zeros(2)}
    weights["linear1.weight"][0, :4] = torch.tensor([3.0, -3.0, 3.0, 3.0])
    found = quantize_weights(graph, weights, method="uniform", bits=2)
    assert torch.equal(found.weights["linear1.weight"], weights["linear1.weight"])
    # Biases, two scales; 16 codes of 2 bits; Huffman: 12 zeros, 3 and 1 of the others.
    assert found.totals["codebook"] == 8 + 8 + 4
    assert found.totals["codebook_huffman"] == 8 + 8 + 4 + (12 + 2 * 4 + 7) // 8
    assert found.totals["deep_compression"] == 8 + 8 + 4 + 1 + (4 * 5 + 7) // 8
    assert found.totals["deep_compression_huffman"] == 8 + 8 + 4 + (4 + 32) + 1 + 0


def test_refusals() -> None:
    weights = build(net()).state_dict()
    for bits in (1, 9):
        with pytest.raises(OptionError, match="2 to 8 bits"):
            quantize_weights(net(), weights, bits=bits)
    with pytest.raises(OptionError, match="has no layer with weights to round"):
        quantize_weights(chain(("relu", {}), x=(3, 8, 8)), {})
