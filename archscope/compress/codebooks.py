"""Codebooks: the weights of a layer as a few shared values, Han et al. 2016."""

from __future__ import annotations

import torch
from msgspec import Struct
from torch import Tensor

ROUNDS = 300
"""Maximum number of k-means iterations; it usually converges after some dozens."""


class Codebook(Struct, frozen=True, eq=False):
    """Values in ascending order, but zero first if weights are zero, and each weight's code."""

    values: Tensor  # (K,) float32
    codes: Tensor  # as the weights, uint8
    exact: bool  # whether every weight kept its value

    @property
    def weights(self) -> Tensor:
        """The weights that the codes represent."""
        return self.values[self.codes.int()]


def codebook(weights: Tensor, bits: int) -> Codebook:
    """Return at most 2 ** bits values for some weights, 1 to 8 bits; zeros stay zero.

    If the weights hold no more values, these are the codebook; otherwise k-means finds it, from
    centres at equal distances, which keep large weights apart (Han et al. 2016).
    """
    flat = weights.detach().cpu().float().flatten()
    present = flat != 0
    kept = flat[present]
    zero = int(len(kept) < len(flat))
    room = 2**bits - zero
    values = distinct(kept)
    exact = len(values) <= room
    limits = values[:-1]
    if not exact:
        values = _k_means(kept.sort().values, room)
        limits = (values[1:] + values[:-1]) / 2
    codes = torch.bucketize(flat, limits, out_int32=True) + zero
    if zero:
        codes *= present
    table = torch.cat([values.new_zeros(zero), values])
    return Codebook(table, codes.to(torch.uint8).view(weights.shape), exact)


def distinct(values: Tensor) -> Tensor:
    """Return the distinct values of a tensor in ascending order."""
    found: Tensor = torch.unique(values)
    return found


def _k_means(values: Tensor, count: int) -> Tensor:
    """Return the centres of at most `count` clusters of ascending values: Lloyd's algorithm.

    In one dimension a cluster is a range of sorted values, and its mean a difference of sums.
    """
    sums = torch.cat([torch.zeros(1).double(), values.cumsum(0, dtype=torch.float64)])
    start, end = torch.tensor([0]), torch.tensor([len(values)])
    centres = torch.linspace(float(values[0]), float(values[-1]), count, dtype=torch.float64)
    for _ in range(ROUNDS):
        middles = ((centres[1:] + centres[:-1]) / 2).float()
        ends = torch.cat([start, torch.searchsorted(values, middles), end])
        sizes = ends.diff()
        means = torch.where(sizes > 0, sums[ends].diff() / sizes, centres)
        if torch.equal(means, centres):
            break
        centres = means
    return distinct(centres[sizes > 0].float())


def relative_entries(codes: Tensor, present: Tensor, bits: int) -> tuple[Tensor, Tensor]:
    """Return the codes and distances of sparse weights in the order of their positions.

    A distance is the number of positions between two entries, below 2 ** bits. If weights are
    farther apart, entries of code 0, a zero, are inserted (fillers).
    """
    reach = 2**bits
    places = present.flatten().nonzero().flatten()
    skipped = places.diff(prepend=torch.tensor([-1])) - 1
    fillers = skipped // reach
    at = (fillers + 1).cumsum(0) - 1
    count = len(places) + int(fillers.sum())
    found = codes.new_zeros(count)
    distances = torch.full((count,), reach - 1, dtype=torch.uint8)
    found[at] = codes.flatten()[places]
    distances[at] = (skipped % reach).to(torch.uint8)
    return found, distances
