"""Rounding to a few even levels: `zero` of them are negative, each a step from the next.

Levels whose `zero` is half a level more than a whole number, such as 1.5, lie on both sides of
zero and not on it: of 4 they are -1.5, -0.5, 0.5 and 1.5 steps.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

__all__: list[str] = []  # no modules

SHARES = tuple(k / 20 for k in range(2, 21))
"""Fractions of the largest value that are tried as the largest level."""

REACH = 0.6
"""Distance from the threshold between two levels, in steps, up to which gradients pass."""


def level_range(bits: int, *, signed: bool) -> tuple[float, int]:
    """Return `zero` and the number of levels for a number of bits.

    Signed values of 1 and 2 bits have 2 ** bits levels around zero and none on it, as a level for
    zero costs more than it gains with so few; more bits have 2 ** bits - 1 levels. Values that are
    never negative have 2 ** bits levels from zero on.
    """
    if not signed:
        return 0, 2**bits
    if bits <= 2:
        return (2**bits - 1) / 2, 2**bits
    most = 2 ** (bits - 1) - 1
    return most, 2 * most + 1


def over_outputs(steps: Tensor, weights: Tensor, groups: int | None) -> Tensor:
    """Return the steps (out,) of output channels such that they broadcast over weights.

    `groups` are those of `ops.conv.by_output`.
    """
    ones = [1] * (weights.ndim - 1)
    if groups is None:
        return steps.view(-1, *ones)
    inputs = len(weights) // groups
    return steps.view(groups, -1).repeat_interleave(inputs, 0).view(len(weights), -1, *ones[1:])


def rounded(values: Tensor, steps: Tensor | float, zero: float, levels: int) -> Tensor:
    """Return the nearest level of each value; steps broadcast."""
    shift = zero % 1
    # In place, as new memory costs more than the arithmetic.
    places = (values / steps).add_(shift).round_().clamp_(shift - zero, shift - zero + levels - 1)
    return places.sub_(shift).mul_(steps)


def passed(values: Tensor, steps: Tensor, zero: float, levels: int) -> Tensor:
    """Return the fraction of a value's gradient that rounding passes on.

    It is 1 if the nearest multiple of the step is a level, as in torch's own, and 0 beyond. With
    two levels it falls linearly to 0 at `REACH` from the threshold between them: the slope of a
    smooth sign (Liu et al. 2018, Bi-Real Net), far from which a value cannot flip.
    """
    if levels == 2:
        distance = (values / steps).add_(zero).sub_(0.5).abs_()
        return distance.div_(REACH).neg_().add_(1).clamp_(min=0)
    places = (values / steps).add_(zero).sub_((levels - 1) / 2).abs_()
    return (places <= levels / 2).to(values.dtype)


def slopes(values: Tensor, steps: Tensor, zero: float, levels: int) -> Tensor:
    """Return the derivative of each rounded value with respect to the logarithm of its step.

    It is the distance from the value to its level, and beyond the outermost levels the level
    (Esser et al. 2020, LSQ).
    """
    levelled = rounded(values, steps, zero, levels)
    distance = levelled - values
    return torch.where(distance.abs() <= steps / 2, distance, levelled)


def excess(values: Tensor, step: Tensor, zero: float, levels: int) -> Tensor:
    """Return by what fraction of itself a step exceeds that of the smallest squared error.

    It is negative if the step is too small, and never above 1.
    """
    levelled = rounded(values, step, zero, levels)
    # Means, as sums of many values are beyond float16.
    size = levelled.square().mean().clamp(min=torch.finfo(levelled.dtype).tiny)
    return 1 - levelled.mul_(values).mean() / size


class LearnedRounding(torch.autograd.Function):
    """`rounded` with a learned step: a scale times e to the power of an exponent.

    With a share, which is one number, values move only that fraction of the way to their levels.
    The step between two levels follows the smallest squared error, whatever the loss: rounded in
    part, a loss is smallest with a step so small that rounding adds nothing, and few values
    would then be near enough to the threshold for a gradient.
    """

    @staticmethod
    def forward(
        ctx: Any,
        values: Tensor,
        exponent: Tensor,
        scale: float,
        zero: float,
        levels: int,
        share: Tensor | None,
    ) -> Tensor:
        """Return the nearest level of each value (N, ...); the exponent is one number."""
        ctx.save_for_backward(values, exponent, share)
        ctx.attributes = scale, zero, levels
        levelled = rounded(values, scale * exponent.exp(), zero, levels)
        return levelled if share is None else values.lerp(levelled, share.to(values.dtype))

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Any:
        """Return the gradients of the values and of the exponent."""
        values, exponent, share = ctx.saved_tensors
        scale, zero, levels = ctx.attributes
        step = scale * exponent.exp()
        gradient = gradients[0]
        ours = passed(values, step, zero, levels).mul_(gradient)
        if share is not None:
            ours = gradient.lerp(ours, share.to(ours.dtype))
        if levels == 2:
            total = excess(values, step, zero, levels)
        else:
            # All values of an image contribute to the gradient, which should not speed it up.
            factor = (values[0].numel() * max(zero, levels - 1 - zero)) ** -0.5
            total = slopes(values, step, zero, levels).mul_(gradient).sum() * factor
        return ours, total, None, None, None, None


def best_scales(rows: Tensor, zero: float, levels: int) -> Tensor:
    """Return the step with the smallest squared error for each row (R, N).

    The steps tried end at `SHARES` of the row's largest value: few levels better clip the largest.
    """
    most = levels - 1 - zero
    reach = torch.maximum(rows / most, rows / -zero) if zero else rows.clamp(min=0) / most
    top = reach.amax(1, keepdim=True)
    top = torch.where(top > 0, top, 1.0)
    scales, errors = top, torch.full_like(top, torch.inf)
    for share in SHARES:
        tried = top * share
        error = (rounded(rows, tried, zero, levels) - rows).square().sum(1, keepdim=True)
        scales = torch.where(error < errors, tried, scales)
        errors = errors.minimum(error)
    return scales.flatten()
