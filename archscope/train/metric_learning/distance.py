"""Distances between embeddings."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

ORDERS = {"euclidean": 2.0, "manhattan": 1.0}
"""The p of each distance, sum(|a - b|^p)^(1/p)."""

TINY = 1e-12
"""Mean distance of a batch that is one point, so that nothing is divided by zero."""


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


def distance_change(embeddings: Tensor, before: Tensor, kind: str) -> Tensor:
    """Return how much the distances within a batch differ from earlier ones, a scalar.

    Both embeddings are (N, D). The mean square difference of the distances of all pairs, each in
    units of their mean: 0 if all grew alike. That is the distance-wise loss of relational knowledge
    distillation (Park, Kim, Lu, Cho 2019), with a square for Huber's function.
    """
    now, then = (
        distances / distances.mean().clamp(min=TINY)
        for distances in (pairwise(embeddings, kind), pairwise(before, kind))
    )
    return (now - then).square().mean()
