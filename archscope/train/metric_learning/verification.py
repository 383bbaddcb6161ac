"""Whether distances tell if two images are of one class: pairs, ROC AUC, accuracy."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score
from torch import Tensor

from archscope.datasets.randomness import generator
from archscope.train.metric_learning.distance import beside

PURPOSE = 6
PAIRS = 3000
"""Pairs of one class, and as many of two, as LFW has (Huang, Ramesh, Berg, Learned-Miller 2007)."""

FOLDS = 10
"""Parts of the pairs; each is judged by the threshold that is best for the others, as in LFW."""


def draw(labels: Tensor, count: int = PAIRS) -> tuple[Tensor, Tensor, Tensor]:
    """Return pairs of images: places of the first and the second (2 count,), and if they match.

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
    strange = (start + size + random.integers(len(order) - size)) % len(order)
    same = np.arange(2 * count) % 2 == 0
    second = order[np.where(same, matching, strange)]
    return torch.from_numpy(first), torch.from_numpy(second), torch.from_numpy(same)


def verify(embeddings: Tensor, labels: Tensor, kind: str) -> dict[str, float]:
    """Return `auc` and `verification` of embeddings (N, D) of images with labels (N,).

    auc is the chance that a pair of one class is closer than a pair of two. verification is the
    accuracy of "of one class" for pairs closer than a threshold. Both are 0.5 by chance, as for
    embeddings that are not finite.
    """
    first, second, same = draw(labels)
    cpu = embeddings.cpu()
    apart = beside(cpu[first], cpu[second], kind).double()
    if not apart.isfinite().all():
        apart = torch.zeros_like(apart)
    return {
        "auc": float(roc_auc_score(same.numpy(), -apart.numpy())),
        "verification": accuracy(apart.numpy(), same.numpy()),
    }


def accuracy(apart: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Return how often "closer than a threshold" says if pairs match, over all folds."""
    fold = np.arange(len(apart)) // 2 % FOLDS
    right = 0
    for one in range(FOLDS):
        judged = fold == one
        limit = threshold(apart[~judged], same[~judged])
        right += int(((apart[judged] <= limit) == same[judged]).sum())
    return right / len(apart)


def threshold(apart: NDArray[np.float64], same: NDArray[np.bool_]) -> float:
    """Return the distance up to which to take pairs for one class, to be right most often."""
    order = np.argsort(apart, kind="stable")
    sorted_apart = apart[order]
    gain = np.cumsum(np.where(same[order], 1, -1))  # of taking all up to this pair for matches
    last = np.append(sorted_apart[1:] > sorted_apart[:-1], True)  # equal distances go together
    best = int(np.argmax(np.where(last, gain, np.iinfo(np.int64).min)))
    if gain[best] < 0:
        return -np.inf
    beyond = sorted_apart[best + 1] if best + 1 < len(apart) else sorted_apart[best]
    return float((sorted_apart[best] + beyond) / 2)


def batch_auc(apart: Tensor, labels: Tensor) -> Tensor:
    """Return the AUC over all pairs of a batch, of their distances (N, N), as a float64 scalar.

    Equal distances count half. Without pairs of both kinds it is 0.5: nothing is told apart.
    """
    above = torch.ones_like(apart, dtype=torch.bool).triu(1)
    same = labels[:, None] == labels[None]
    close, far = apart[above & same].sort().values, apart[above & ~same]
    if not len(close) or not len(far):
        return apart.new_full((), 0.5, dtype=torch.float64)
    below = torch.searchsorted(close, far) + torch.searchsorted(close, far, right=True)
    return below.double().mean() / (2 * len(close))
