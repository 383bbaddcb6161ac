"""Pair verification of embeddings: ROC AUC and accuracy."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from archscope.datasets.randomness import generator
from archscope.train.metric_learning.distance import rowwise

PURPOSE = 6
PAIRS = 3000
"""Pairs of one class, and as many of two, as LFW has (Huang, Ramesh, Berg, Learned-Miller 2007)."""

FOLDS = 10
"""Parts of the pairs; the threshold of each is chosen on the others, as in LFW."""


def draw_pairs(labels: Tensor, count: int = PAIRS) -> tuple[Tensor, Tensor, Tensor]:
    """Draw pairs of images: indices of the first and the second (2 count,), and if they match.

    Every other pair is of one class. The same labels (N,) give the same pairs; each class needs
    two images, and there must be two classes.
    """
    random = generator(0, PURPOSE)
    classes, index, counts = np.unique(
        labels.cpu().numpy(), return_inverse=True, return_counts=True
    )
    assert len(classes) > 1
    assert counts.min() > 1
    order = np.argsort(index, kind="stable")
    starts = np.cumsum(counts) - counts
    place = np.empty(len(order), dtype=np.int64)
    place[order] = np.arange(len(order))  # of each image in the order by class
    first = random.integers(len(order), size=2 * count)
    mine = index[first]
    size, start = counts[mine], starts[mine]
    other = 1 + random.integers(size - 1)
    matching = start + (place[first] - start + other) % size
    differing = (start + size + random.integers(len(order) - size)) % len(order)
    same = np.arange(2 * count) % 2 == 0
    second = order[np.where(same, matching, differing)]
    return torch.from_numpy(first), torch.from_numpy(second), torch.from_numpy(same)


def verify(embeddings: Tensor, labels: Tensor, kind: str) -> dict[str, float]:
    """Return `auc` and `verification` of embeddings (N, D) of images with labels (N,).

    auc is the chance that a pair of one class is closer than a pair of two. verification is the
    accuracy of "of one class" for pairs closer than a threshold. Both are 0.5 by chance, as for
    embeddings that are not finite.
    """
    first, second, same = draw_pairs(labels)
    cpu = embeddings.cpu()
    distances = rowwise(cpu[first], cpu[second], kind).double()
    if not distances.isfinite().all():
        distances = torch.zeros_like(distances)
    return {
        "auc": float(roc_auc_score(same.numpy(), -distances.numpy())),
        "verification": accuracy(distances.numpy(), same.numpy()),
    }


def accuracy(distances: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Return the accuracy of "closer than a threshold" for whether pairs match, over all folds."""
    fold = np.arange(len(distances)) // 2 % FOLDS
    right = 0
    for number in range(FOLDS):
        held = fold == number
        limit = threshold(distances[~held], same[~held])
        right += int(((distances[held] <= limit) == same[held]).sum())
    return right / len(distances)


def threshold(distances: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Return the distance up to which pairs should match for the highest accuracy."""
    order = np.argsort(distances, kind="stable")
    ordered = distances[order]
    gain = np.cumsum(np.where(same[order], 1, -1))  # of matching all up to this pair
    last = np.append(ordered[1:] > ordered[:-1], True)  # equal distances go together
    best = int(np.argmax(np.where(last, gain, np.iinfo(np.int64).min)))
    if gain[best] < 0:
        return -np.inf
    beyond = ordered[best + 1] if best + 1 < len(distances) else ordered[best]
    return float((ordered[best] + beyond) / 2)


def batch_auc(distances: Tensor, labels: Tensor) -> Tensor:
    """Return the AUC over all pairs of a batch, of their distances (N, N), as a float64 scalar.

    Equal distances count half. Without pairs of both kinds it is 0.5: nothing is told apart.
    """
    above = torch.ones_like(distances, dtype=torch.bool).triu(1)
    same = labels[:, None] == labels[None]
    close, far = distances[above & same].sort().values, distances[above & ~same]
    if not len(close) or not len(far):
        return distances.new_full((), 0.5, dtype=torch.float64)
    below = torch.searchsorted(close, far) + torch.searchsorted(close, far, right=True)
    return below.double().mean() / (2 * len(close))
