"""Pairs, and what is measured of them, against scikit-learn and brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.spatial.distance import cdist
from sklearn.metrics import roc_auc_score

from archscope.train.metric_learning.distance import distance_change
from archscope.train.metric_learning.verification import (
    accuracy,
    batch_auc,
    draw_pairs,
    threshold,
    verify,
)

LABELS = torch.tensor([3, 1, 3, 1, 7, 7, 7, 3, 1, 1, 1, 1, 1, 1])


def test_every_pair_is_what_it_says() -> None:
    first, second, same = draw_pairs(LABELS, 3000)
    assert (first != second).all()
    assert torch.equal(LABELS[first] == LABELS[second], same)
    assert same.sum() == 3000
    pairs = {(int(i), int(j)) for i, j in zip(first, second, strict=True)}
    assert len(pairs) == 14 * 13  # of so few images, every pair comes
    assert torch.equal(draw_pairs(LABELS, 3000)[0], first)


def test_auc_of_a_batch_is_that_of_all_its_pairs() -> None:
    random = np.random.default_rng(0)
    apart = np.round(random.random((14, 14)), 1)  # rounded, so that some are equal
    apart = np.triu(apart, 1) + np.triu(apart, 1).T
    rows, columns = np.triu_indices(14, 1)
    same = (LABELS[:, None] == LABELS[None]).numpy()[rows, columns]
    expected = roc_auc_score(same, -apart[rows, columns])
    assert float(batch_auc(torch.from_numpy(apart), LABELS)) == pytest.approx(expected)


@pytest.mark.parametrize("labels", [[0, 0, 0], [0, 1, 2]])
def test_a_batch_without_both_kinds_tells_nothing(labels: list[int]) -> None:
    assert batch_auc(torch.rand(3, 3), torch.tensor(labels)) == 0.5


@pytest.mark.parametrize("seed", range(5))
def test_the_threshold_is_right_most_often(seed: int) -> None:
    random = np.random.default_rng(seed)
    same = random.random(60) < random.random()
    apart = np.round(random.random(60) + 0.3 * ~same, 1)
    limits = [-np.inf, *apart, np.inf]
    best = max(((apart <= limit) == same).sum() for limit in limits)
    assert ((apart <= threshold(apart, same)) == same).sum() == best


def test_embeddings_that_know_everything_or_nothing() -> None:
    known = torch.nn.functional.one_hot(LABELS, 8).float()
    assert verify(known, LABELS, "euclidean") == {"auc": 1.0, "verification": 1.0}
    for nothing in (torch.ones(14, 3), torch.full((14, 3), torch.nan)):
        assert verify(nothing, LABELS, "euclidean") == {"auc": 0.5, "verification": 0.5}


def test_a_threshold_is_not_chosen_by_the_pairs_that_it_judges() -> None:
    """On noise, accuracy stays at chance: choosing and judging by the same pairs would exceed it.

    A fold of 40 pairs, each alone at its distance, could be split by its own best threshold.
    """
    random = np.random.default_rng(1)
    found = [accuracy(random.random(400), np.arange(400) % 2 == 0) for _ in range(50)]
    assert abs(np.mean(found) - 0.5) < 0.01


@pytest.mark.parametrize("kind, metric", [("euclidean", "euclidean"), ("manhattan", "cityblock"),
                                          ("angle", "cosine")])  # fmt: skip
def test_the_change_of_distances_is_that_of_every_pair(kind: str, metric: str) -> None:
    random = np.random.default_rng(3)
    after, before = random.normal(size=(9, 4)), random.normal(size=(9, 6))
    now, then = (cdist(x, x, metric) for x in (after, before))
    expected = ((now / now.mean() - then / then.mean()) ** 2).mean()
    found = distance_change(torch.from_numpy(after), torch.from_numpy(before), kind)
    assert float(found) == pytest.approx(expected)


@pytest.mark.parametrize("kind", ["euclidean", "manhattan", "angle"])
def test_distances_that_grow_alike_have_not_changed(kind: str) -> None:
    before = torch.randn(40, 6, generator=torch.Generator().manual_seed(1))
    after = (3 * before).requires_grad_()
    change = distance_change(after, before, kind)
    change.backward()
    assert after.grad is not None
    assert float(change.detach()) == pytest.approx(0, abs=1e-6)
    assert after.grad.abs().max() < 1e-3


@pytest.mark.parametrize("kind", ["euclidean", "manhattan", "angle"])
def test_a_batch_that_is_one_point_has_a_change(kind: str) -> None:
    point = torch.ones(4, 3, requires_grad=True)
    change = distance_change(point, torch.eye(4), kind)
    change.backward()
    assert point.grad is not None
    assert change.isfinite() and point.grad.isfinite().all()
