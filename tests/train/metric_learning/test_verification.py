"""Pairs, and what is measured of them, against scikit-learn and brute force."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

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
