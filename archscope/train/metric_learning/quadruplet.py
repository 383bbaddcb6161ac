"""The quadruplet loss."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from archscope.train.metric_learning.distance import pairwise


class QuadrupletLoss(nn.Module):
    """Matching pairs are to be closer than pairs of other classes, with the anchor or without.

    Chen, Chen, Zhang, Huang 2017 (CVPR), equation 8, with g as distance: the mean over anchors of
    max(0, g(i,j)^2 - g(i,k)^2 + margin) + max(0, g(i,j)^2 - g(l,k)^2 + margin / 2), where j is of
    the class of i, and k and l are of two others. Of all quadruplets of a batch, each anchor takes
    the hardest: its farthest j, its nearest k, and the l nearest to that k. A term whose images the
    batch does not have is left out. The second margin is the smaller, as the paper
    asks; that it is half of the first is our choice.
    """

    def __init__(self, margin: float, distance: str) -> None:
        super().__init__()
        self.margin, self.distance = margin, distance

    def forward(self, embeddings: Tensor, labels: Tensor) -> Tensor:
        """Return the loss of embeddings (N, D) with labels (N,), a scalar."""
        squares = pairwise(embeddings, self.distance).square()
        same = labels[:, None] == labels[None]
        itself = torch.eye(len(labels), dtype=torch.bool, device=labels.device)
        far = squares.masked_fill(~same | itself, -torch.inf).amax(1)
        near, k = squares.masked_fill(same, torch.inf).min(1)
        apart = squares[k].masked_fill(same | same[k], torch.inf).amin(1)
        # Where there is no such image the term is -inf, and max(0, -inf) is 0 without gradient.
        first = (far - near + self.margin).relu()
        second = (far - apart + self.margin / 2).relu()
        return (first + second).mean()
