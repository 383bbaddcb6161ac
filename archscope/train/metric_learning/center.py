"""The center loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional


class CenterLoss(nn.Module):
    """Softmax tells classes apart while each class is drawn to its centre.

    Wen, Zhang, Li, Qiao 2016 (ECCV), equation 5: cross-entropy of a linear layer on the embedding,
    and share / 2 times |x - c|^2 to the centre c of the class, as the mean over the batch. Centres
    are no weights: in training, each moves by rate * sum(c - x) / (1 + n) over its n images of
    the batch (equation 4). Rate 0.5 and share 0.003 are the paper's.
    """

    centers: Tensor

    def __init__(self, classes: int, size: int, share: float = 0.003, rate: float = 0.5) -> None:
        super().__init__()
        self.classify = nn.Linear(size, classes)
        self.register_buffer("centers", torch.zeros(classes, size))
        self.share, self.rate = share, rate

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of embeddings (N, D) with labels (N,), a scalar; move the centres."""
        away = embeddings - self.centers[labels]
        drawn = away.square().sum(1).mean() / 2
        loss = functional.cross_entropy(self.classify(embeddings), labels) + self.share * drawn
        if self.training:
            self._move(away.detach(), labels)
        return loss

    def _move(self, away: Tensor, labels: Tensor) -> None:
        sums = torch.zeros_like(self.centers).index_add_(0, labels, away)
        counts = torch.bincount(labels, minlength=len(self.centers))
        self.centers += self.rate * sums / (1 + counts)[:, None]
