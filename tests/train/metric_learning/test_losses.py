"""Every metric loss against its formula, computed pair by pair in plain Python."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from archscope.train import Recipe
from archscope.train.metric_learning.metric_losses import SphereFaceLoss, metric_loss, unit_of

LABELS = [0, 0, 0, 1, 1, 2, 2, 2, 3]
N = len(LABELS)


@pytest.fixture
def embeddings() -> Tensor:
    random = torch.Generator().manual_seed(5)
    return 0.6 * torch.randn(N, 5, generator=random, dtype=torch.float64)


def distance(x: Tensor, i: int, j: int, p: float = 2) -> float:
    return float((x[i] - x[j]).abs().pow(p).sum() ** (1 / p))


def mean_above_zero(values: list[float]) -> float:
    kept = [one for one in values if one > 0]
    return sum(kept) / len(kept) if kept else 0.0


def value(x: Tensor, **knobs: object) -> float:
    loss = metric_loss(Recipe(**knobs), 4, 5)
    return float(loss(x, torch.tensor(LABELS)))


def test_scales_of_the_papers_are_for_many_classes() -> None:
    few, many = (metric_loss(Recipe(loss="arcface"), classes, 5) for classes in (99, 100))
    assert (few.scale, many.scale) == (16, 64)
    assert metric_loss(Recipe(loss="arcface", scale=40), 4, 5).scale == 40
    assert metric_loss(Recipe(loss="sphereface"), 4, 5).scale == 1


def test_margins_are_multiples_of_the_length_of_untrained_embeddings(embeddings: Tensor) -> None:
    for loss, kind, order in (("triplet", "euclidean", 2), ("contrastive", "manhattan", 1)):
        recipe = Recipe(loss=loss, distance=kind)
        lengths = [float(x.abs().pow(order).sum() ** (1 / order)) for x in embeddings]
        assert unit_of(recipe, embeddings) == pytest.approx(sum(lengths) / N)
    for given in (Recipe(loss="triplet", margin=0.3), Recipe(loss="arcface")):
        assert unit_of(given, embeddings) == 1


@pytest.mark.parametrize("slack", [0.0, 0.9])
@pytest.mark.parametrize("kind, p", [("euclidean", 2), ("manhattan", 1)])
def test_contrastive(embeddings: Tensor, kind: str, p: float, slack: float) -> None:
    pairs = [(i, j) for i in range(N) for j in range(N) if i != j]
    close, far = [], []
    for i, j in pairs:
        d = distance(embeddings, i, j, p)
        if LABELS[i] == LABELS[j]:
            close.append(max(0, d - slack) ** 2 / 2)
        else:
            far.append(max(0, 1.5 - d) ** 2 / 2)
    expected = mean_above_zero(close) + mean_above_zero(far)
    found = value(embeddings, loss="contrastive", margin=1.5, distance=kind, slack=slack)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("slack", [0.0, 0.9])
@pytest.mark.parametrize("mining", ["hard", "semihard", "all"])
def test_triplet(embeddings: Tensor, mining: str, slack: float) -> None:
    losses = []
    for a in range(N):
        mates = [j for j in range(N) if LABELS[j] == LABELS[a] and j != a]
        others = [j for j in range(N) if LABELS[j] != LABELS[a]]
        to = [distance(embeddings, a, j) for j in range(N)]
        if mining == "hard":
            triplets = [(max(to[p] for p in mates), min(to[n] for n in others))] if mates else []
        else:
            triplets = [(to[p], to[n]) for p in mates for n in others]
        if mining == "semihard":
            triplets = [(near, far) for near, far in triplets if near < far <= near + 0.7]
        losses += [max(near, slack) - far + 0.7 for near, far in triplets]
    found = value(embeddings, loss="triplet", margin=0.7, mining=mining, slack=slack)
    assert found == pytest.approx(mean_above_zero(losses))


@pytest.mark.parametrize("slack", [0.0, 1.1])
def test_all_quadruplets(embeddings: Tensor, slack: float) -> None:
    first, second = [], []
    for i, j in ((i, j) for i in range(N) for j in range(N) if i != j and LABELS[i] == LABELS[j]):
        square = max(distance(embeddings, i, j), slack) ** 2
        others = [k for k in range(N) if LABELS[k] != LABELS[i]]
        first += [square - distance(embeddings, i, k) ** 2 + 3 for k in others]
        second += [
            square - distance(embeddings, m, k) ** 2 + 1.5
            for m in others for k in others if LABELS[m] != LABELS[k]
        ]  # fmt: skip
    found = value(embeddings, loss="quadruplet", margin=3, mining="all", slack=slack)
    assert found == pytest.approx(mean_above_zero(first) + mean_above_zero(second))


@pytest.mark.parametrize("slack", [0.0, 1.1])
def test_quadruplet(embeddings: Tensor, slack: float) -> None:
    total = 0.0
    for i in range(N):
        mates = [j for j in range(N) if LABELS[j] == LABELS[i] and j != i]
        if not mates:
            continue
        square = max(slack, *(distance(embeddings, i, j) for j in mates)) ** 2
        others = [k for k in range(N) if LABELS[k] != LABELS[i]]
        k = min(others, key=lambda k: distance(embeddings, i, k))
        total += max(0, square - distance(embeddings, i, k) ** 2 + 3)
        rest = [m for m in others if LABELS[m] != LABELS[k]]
        total += max(0, square - min(distance(embeddings, m, k) for m in rest) ** 2 + 1.5)
    assert value(embeddings, loss="quadruplet", margin=3, slack=slack) == pytest.approx(total / N)


def test_coupled_clusters(embeddings: Tensor) -> None:
    x, labels, total = embeddings.numpy(), np.array(LABELS), 0.0
    for label in (0, 1, 2):  # 3 has one image
        mine = x[labels == label]
        centre = mine.mean(0)
        star = min(((one - centre) ** 2).sum() for one in x[labels != label])
        total += sum(max(0, ((one - centre) ** 2).sum() + 0.8 - star) / 2 for one in mine)
    found = value(embeddings, loss="coupled-clusters", margin=0.8)
    assert found == pytest.approx(total / N)


def test_center_and_its_centres(embeddings: Tensor) -> None:
    loss = metric_loss(Recipe(loss="center"), 4, 5).double()
    start = torch.randn(4, 5, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    loss.centers.copy_(start)
    scores = (embeddings @ loss.classify.weight.T + loss.classify.bias).softmax(1).detach()
    entropy = -sum(math.log(scores[i, LABELS[i]]) for i in range(N)) / N
    drawn = sum(float(((embeddings[i] - start[LABELS[i]]) ** 2).sum()) for i in range(N)) / N
    found = loss(embeddings, torch.tensor(LABELS))
    assert found.item() == pytest.approx(entropy + 0.003 / 2 * drawn)
    for label in range(4):
        mine = embeddings[torch.tensor(LABELS) == label]
        delta = (start[label] - mine).sum(0) / (1 + len(mine))
        torch.testing.assert_close(loss.centers[label], start[label] - 0.5 * delta)
    loss.eval()
    before = loss.centers.clone()
    loss(embeddings, torch.tensor(LABELS))
    assert torch.equal(loss.centers, before)


def cosines(x: Tensor, weights: Tensor) -> np.ndarray:
    a, b = x.numpy(), weights.detach().double().numpy().T
    return (a @ b.T) / np.linalg.norm(a, axis=1)[:, None] / np.linalg.norm(b, axis=1)


def entropy(logits: np.ndarray) -> float:
    logs = [row - row.max() for row in logits]
    return float(
        np.mean([np.log(np.exp(row).sum()) - row[LABELS[i]] for i, row in enumerate(logs)])
    )


@pytest.mark.parametrize("name, scale", [("cosface", 64), ("am-softmax", 30), ("arcface", 64)])
def test_angular_margins(embeddings: Tensor, name: str, scale: float) -> None:
    loss = metric_loss(Recipe(loss=name, scale=scale), 4, 5)
    logits = cosines(embeddings, loss.W)
    for i, label in enumerate(LABELS):
        angle = math.acos(logits[i, label])
        if name != "arcface":
            logits[i, label] -= 0.35
        elif angle + 0.5 <= math.pi:
            logits[i, label] = math.cos(angle + 0.5)
        else:
            logits[i, label] -= 0.5 * math.sin(0.5)
    found = loss(embeddings, torch.tensor(LABELS)).item()
    assert found == pytest.approx(entropy(scale * logits), rel=1e-5)


@pytest.mark.parametrize("steps", [0, 100, 10**6])
def test_sphereface(embeddings: Tensor, steps: int) -> None:
    loss = metric_loss(Recipe(loss="sphereface"), 4, 5)
    assert isinstance(loss, SphereFaceLoss)
    loss.steps.fill_(steps)
    blend = max(5, 1000 / (1 + 0.12 * steps))
    logits = cosines(embeddings, loss.W)
    for i, label in enumerate(LABELS):
        angle = math.acos(logits[i, label])
        k = math.floor(4 * angle / math.pi)
        psi = (-1) ** k * math.cos(4 * angle) - 2 * k
        logits[i, label] = (blend * math.cos(angle) + psi) / (1 + blend)
    logits *= np.linalg.norm(embeddings.numpy(), axis=1)[:, None]
    found = loss(embeddings, torch.tensor(LABELS)).item()
    assert found == pytest.approx(entropy(logits), rel=1e-5)
    assert loss.steps == steps + 1


@pytest.mark.parametrize("labels", [[0, 0, 0, 0], [0, 1, 2, 3]], ids=["one class", "no pairs"])
@pytest.mark.parametrize("name", ["contrastive", "triplet", "quadruplet", "coupled-clusters"])
def test_batches_without_pairs_of_both_kinds_have_finite_gradients(
    name: str, labels: list[int]
) -> None:
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)).requires_grad_()
    loss = metric_loss(Recipe(loss=name), 4, 5)(x, torch.tensor(labels))
    loss.backward()
    assert loss.isfinite()
    assert x.grad is not None
    assert x.grad.isfinite().all()
