"""Losses against their formulas, in numpy."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from archscope.train import Recipe
from archscope.train.evaluation import confusion, hits
from archscope.train.losses import criterion, l1_penalty

RANDOM = np.random.default_rng(0)
OUTPUTS = RANDOM.normal(size=(6, 4)) * 2
LABELS = RANDOM.integers(4, size=6)
BLENDED = RANDOM.dirichlet(np.ones(4), size=6)


def formula(name: str, shares: np.ndarray) -> float:
    if name == "cross-entropy":
        log = OUTPUTS - np.log(np.exp(OUTPUTS).sum(1, keepdims=True))
        return float(-(shares * log).sum(1).mean())
    if name == "hinge":
        right = OUTPUTS[np.arange(6), LABELS][:, None]
        margins = np.maximum(0, 1 + OUTPUTS - right)
        margins[np.arange(6), LABELS] = 0
        return float((margins.sum(1) / 4).mean())
    distance = np.abs(OUTPUTS - shares)
    if name == "smooth-l1":
        return float(np.where(distance < 1, distance**2 / 2, distance - 0.5).mean())
    return float((distance if name == "l1" else distance**2).mean())


@pytest.mark.parametrize("name", ["cross-entropy", "hinge", "l1", "l2", "smooth-l1"])
def test_losses_of_whole_labels(name: str) -> None:
    loss = criterion(Recipe(loss=name))(torch.tensor(OUTPUTS), torch.tensor(LABELS))
    assert loss.item() == pytest.approx(formula(name, np.eye(4)[LABELS]))


@pytest.mark.parametrize("name", ["cross-entropy", "l1", "l2", "smooth-l1"])
def test_losses_of_blended_and_smoothed_labels(name: str) -> None:
    blended = criterion(Recipe(loss=name))(torch.tensor(OUTPUTS), torch.tensor(BLENDED))
    assert blended.item() == pytest.approx(formula(name, BLENDED))
    recipe = Recipe(loss=name, label_smoothing=0.2)
    smoothed = criterion(recipe)(torch.tensor(OUTPUTS), torch.tensor(LABELS))
    assert smoothed.item() == pytest.approx(formula(name, 0.8 * np.eye(4)[LABELS] + 0.05))
    plain = criterion(recipe, smooth=False)(torch.tensor(OUTPUTS), torch.tensor(LABELS))
    assert plain.item() == pytest.approx(formula(name, np.eye(4)[LABELS]))


def test_l1_penalty_leaves_biases_and_norms_alone() -> None:
    module = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.BatchNorm1d(2))
    assert l1_penalty(module).item() == pytest.approx(module[0].weight.abs().sum().item())


def test_hits() -> None:
    outputs, labels = torch.tensor(OUTPUTS), torch.tensor(LABELS)
    order = np.argsort(-OUTPUTS, axis=1)
    for among in (1, 2, 3):
        expected = sum(label in row[:among] for label, row in zip(LABELS, order, strict=True))
        assert hits(outputs, labels, among) == expected
    blended = torch.tensor(BLENDED)
    assert hits(outputs, blended) == (order[:, 0] == BLENDED.argmax(1)).sum()


def test_confusion() -> None:
    right, taken = torch.tensor([0, 0, 1, 2]), torch.tensor([0, 2, 1, 1])
    assert confusion(taken, right, 3).tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]
