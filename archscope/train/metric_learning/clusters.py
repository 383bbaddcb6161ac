"""The coupled clusters loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class CoupledClustersLoss(nn.Module):
    """Images of a class are to be closer to their centre than the nearest of the others is.

    Liu, Tian, Yang, Pang, Huang 2016 (CVPR, Deep Relative Distance Learning), equation 5: with c
    the mean of a class's embeddings in the batch and x* the image of another class nearest to it,
    the sum over the class of max(0, |x - c|^2 + margin - |x* - c|^2) / 2. Each class of the batch
    takes its turn, and the sum is divided by the number of images. A class with one image in the
    batch, or alone in it, adds nothing.
    """

    def __init__(self, margin: float) -> None:
        super().__init__()
        self.margin = margin

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of embeddings (N, D) with labels (N,), a scalar."""
        total = embeddings.sum() * 0  # something to derive, whatever the batch has
        for label in torch.unique(labels):
            mine = labels == label
            if mine.sum() < 2 or mine.all():
                continue
            squares = (embeddings - embeddings[mine].mean(0)).square().sum(1)
            nearest = squares[~mine].amin()
            total = total + (squares[mine] + self.margin - nearest).relu().sum() / 2
        return total / len(labels)
