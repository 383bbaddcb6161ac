"""Accuracy and confusion matrix of a batch."""

from __future__ import annotations

import torch
from torch import Tensor


def hits(outputs: Tensor, labels: Tensor, among: int = 1) -> Tensor:
    """Return how many images of a batch have their class among the largest outputs.

    Outputs are (N, K); labels are whole (N), or shares of each class (N, K), whose largest
    counts.
    """
    wanted = labels if labels.ndim == 1 else labels.argmax(1)
    if among == 1:
        return (outputs.argmax(1) == wanted).sum()
    return (outputs.topk(among, 1).indices == wanted[:, None]).any(1).sum()


def confusion(predicted: Tensor, labels: Tensor, classes: int) -> Tensor:
    """Return how often class i (row) was predicted as class j (column), as (K, K)."""
    return torch.bincount(labels * classes + predicted, minlength=classes**2).view(classes, classes)
