"""Distances between embeddings."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

ORDERS = {"euclidean": 2.0, "manhattan": 1.0}
"""The p of each distance, sum(|a - b|^p)^(1/p)."""


def pairwise(embeddings: Tensor, kind: str) -> Tensor:
    """Return the distances between all embeddings (N, D) as (N, N); `angle` is 1 - cosine."""
    if kind == "angle":
        sides = functional.normalize(embeddings)
        return 1 - sides @ sides.T
    return torch.cdist(embeddings, embeddings, p=ORDERS[kind])


def rowwise(first: Tensor, second: Tensor, kind: str) -> Tensor:
    """Return the distances between embeddings (N, D) in the same row as (N,)."""
    if kind == "angle":
        return 1 - functional.cosine_similarity(first, second)
    distances: Tensor = torch.linalg.vector_norm(first - second, ord=ORDERS[kind], dim=1)
    return distances
