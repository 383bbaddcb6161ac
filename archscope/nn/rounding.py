"""Rounding to few even levels at the scale of the smallest squared error."""

from __future__ import annotations

import torch
from torch import Tensor

__all__: list[str] = []  # no modules

SHARES = torch.linspace(0.1, 1.0, 19).tolist()
"""Parts of the largest value that are tried as the largest level."""


def best_scales(rows: Tensor, least: int, most: int) -> Tensor:
    """Return for each row (R, N) the step between the levels `least` to `most` times it.

    It is that of the smallest squared error among `SHARES` of the row's largest value: few levels
    do better to cut off the largest.
    """
    reach = torch.maximum(rows / most, rows / least) if least else rows.clamp(min=0) / most
    top = reach.amax(1, keepdim=True)
    top = torch.where(top > 0, top, 1.0)
    scales, errors = top, torch.full_like(top, torch.inf)
    for share in SHARES:
        tried = top * share
        rounded = (rows / tried).round().clamp(least, most) * tried
        error = (rounded - rows).square().sum(1, keepdim=True)
        scales = torch.where(error < errors, tried, scales)
        errors = errors.minimum(error)
    return scales.flatten()


def rounded_weights(weights: Tensor, bits: int) -> Tensor:
    """Return weights in so many bits, with a scale for each place on the first axis.

    One bit is the sign times the mean size (Rastegari et al. 2016, XNOR-Net); more are
    2 ** bits - 1 even levels about zero.
    """
    rows = weights.flatten(1)
    if bits == 1:
        size = rows.abs().mean(1, keepdim=True)
        return torch.where(rows < 0, -size, size).view_as(weights)
    most = 2 ** (bits - 1) - 1
    scales = best_scales(rows, -most, most)[:, None]
    return ((rows / scales).round().clamp(-most, most) * scales).view_as(weights)
