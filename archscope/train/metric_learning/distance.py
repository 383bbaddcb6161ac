"""Distances between all images of a batch."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

ORDERS = {"euclidean": 2.0, "manhattan": 1.0}
"""The p of each distance, sum(|a - b|^p)^(1/p)."""


def matrix(embeddings: Tensor, kind: str) -> Tensor:
    """Return how far embeddings (N, D) are from each other, (N, N); by `angle`, 1 - cosine."""
    if kind == "angle":
        sides = functional.normalize(embeddings)
        return 1 - sides @ sides.T
    return torch.cdist(embeddings, embeddings, p=ORDERS[kind])


def beside(one: Tensor, other: Tensor, kind: str) -> Tensor:
    """Return how far embeddings (N, D) are from those in the same row, (N,)."""
    if kind == "angle":
        return 1 - functional.cosine_similarity(one, other)
    apart: Tensor = torch.linalg.vector_norm(one - other, ord=ORDERS[kind], dim=1)
    return apart
