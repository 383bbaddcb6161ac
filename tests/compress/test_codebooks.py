"""Codebooks: exact where they can be, k-means where not; sparse entries decoded again."""

from __future__ import annotations

import pytest
import torch
from sklearn.cluster import KMeans

from archscope.compress.codebooks import codebook, relative_entries


@pytest.mark.parametrize("bits", [1, 2, 4, 8])
@pytest.mark.parametrize("sparse", [False, True])
def test_few_values_are_kept(bits: int, sparse: bool) -> None:
    torch.manual_seed(0)
    values = torch.randn(2**bits)
    if sparse:
        values[0] = 0.0
    weights = values[torch.randint(len(values), (30, 5, 3, 3))]
    weights.view(-1)[: len(values)] = values
    book = codebook(weights, bits)
    assert book.exact
    assert len(book.values) == 2**bits
    assert torch.equal(book.weights, weights)
    if sparse:
        assert book.values[0] == 0


def test_values_next_to_each_other_are_told_apart() -> None:
    low = torch.tensor(0.1)
    weights = torch.stack([low, low.nextafter(torch.tensor(1.0))])
    assert torch.equal(codebook(weights, 1).weights, weights)


@pytest.mark.parametrize("bits", [2, 4])
def test_k_means_comes_to_rest_where_sklearn_stays(bits: int) -> None:
    torch.manual_seed(1)
    weights = torch.randn(40, 50)
    weights[weights.abs() < 0.5] = 0.0
    book = codebook(weights, bits)
    assert not book.exact
    assert torch.equal(book.weights == 0, weights == 0)
    centres = book.values[1:].double().view(-1, 1)
    kept = weights[weights != 0].double().view(-1, 1)
    means = KMeans(len(centres), init=centres.numpy(), n_init=1, tol=0).fit(kept.numpy())
    error = float((book.weights - weights).double().square().sum())
    assert error == pytest.approx(means.inertia_, rel=1e-3)


def test_no_weight_is_nearer_to_another_value() -> None:
    torch.manual_seed(2)
    weights = torch.randn(1000)
    book = codebook(weights, 3)
    nearest = (weights[:, None] - book.values).abs().min(1).values
    assert torch.allclose((book.weights - weights).abs(), nearest, atol=1e-6)


def test_zeros_alone() -> None:
    book = codebook(torch.zeros(3, 4), 2)
    assert (book.exact, book.values.tolist()) == (True, [0.0])


@pytest.mark.parametrize("bits", [1, 2, 5, 8])
def test_entries_decode_to_the_weights(bits: int) -> None:
    torch.manual_seed(3)
    codes = torch.randint(1, 200, (60, 100)) * (torch.rand(60, 100) < 0.005)
    found, distances = relative_entries(codes.to(torch.uint8), codes != 0, bits)
    assert int(distances.max()) < 2**bits
    places = (distances.long() + 1).cumsum(0) - 1
    decoded = torch.zeros(codes.numel(), dtype=torch.uint8)
    decoded[places] = found
    assert torch.equal(decoded.view(codes.shape).long(), codes)
    last, count = -1, 0  # by hand
    for place in codes.flatten().nonzero().flatten().tolist():
        while place - last > 2**bits:
            last, count = last + 2**bits, count + 1
        last, count = place, count + 1
    assert len(found) == count
