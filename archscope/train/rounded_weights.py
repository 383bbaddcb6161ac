"""Training with weights in a few bits: passes use rounded weights, steps change exact ones."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from archscope.nn import FakeQuantize
from archscope.nn.rounding import best_scales, level_range, over_outputs, rounded, slopes
from archscope.ops.conv import by_output

END_BITS = 8
"""Minimum bits of the first and the last layer (Zhou et al. 2016, DoReFa-Net)."""

GRADUAL = 0.6
"""Fraction of a training until which values of one bit are rounded only in part."""


def share_rounded(progress: float) -> float:
    """Return the fraction of the way to its level that a value of one bit moves in training.

    Blending exact and rounded values lets a network follow (Liu and Mattina 2019, AlphaBlend). The
    share rises to 1 at `GRADUAL`, ever more slowly, as sparsity does in gradual pruning (Zhu and
    Gupta 2017).
    """
    return float(1 - (1 - min(progress / GRADUAL, 1)) ** 3)


class RoundedWeights(nn.Module):
    """Rounds the kernels and matrices of a network, and restores the exact ones.

    Gradients at the rounded weights move the exact ones, as if nothing was rounded (the
    straight-through estimator); those beyond the outermost levels, too, so that they can return.
    The step between the levels of each output channel is learned (Esser et al. 2020, LSQ), as e
    to the power of a parameter, so that optimizers change it by a share of itself whatever its
    size (Jain et al. 2020). It begins at that of the smallest squared error. Weights of one bit
    are their sign times the mean size in the channel (Rastegari et al. 2016, XNOR-Net); they and
    layer inputs of one bit are rounded gradually. What is learned is part of the state of a
    training and not of its network, which is left with rounded weights.
    """

    def __init__(
        self, network: nn.Module, bits: int, kernels: Collection[str] | None = None
    ) -> None:
        """Round the parameters named `kernels`, by default all of two or more axes."""
        super().__init__()
        held = [
            weight
            for name, weight in network.named_parameters()
            if weight.requires_grad and (weight.ndim > 1 if kernels is None else name in kernels)
        ]
        ends = {id(weight) for weight in (*held[:1], *held[-1:])}
        ranges = [
            level_range(max(bits, END_BITS) if id(weight) in ends else bits, signed=True)
            for weight in held
        ]
        self.transposed = {
            id(module.weight): int(module.groups)
            for module in network.modules()
            if isinstance(module, nn.ConvTranspose1d | nn.ConvTranspose2d | nn.ConvTranspose3d)
        }
        # In tuples, so that they are the network's parts and not its own.
        self.held = list(zip(held, ranges, strict=True))
        self.inputs = tuple(
            module
            for module in network.modules()
            if isinstance(module, FakeQuantize) and module.levels == 2
        )
        # A tensor, so that compiled networks need not be compiled for each of its values.
        self.share = torch.ones((), device=held[0].device if held else None)
        self.exponents = nn.ParameterList(
            best_scales(by_output(weight.detach(), self._groups(weight)), *levels).log()
            for weight, levels in self.held
        )

    @contextmanager
    def applied(self, progress: float = 1.0) -> Iterator[None]:
        """Make the network compute with rounded weights, as far as a training has progressed."""
        exact = [weight.data for weight, _ in self.held]
        self.share.fill_(share_rounded(progress))
        try:
            with torch.no_grad():
                for (weight, levels), exponents in zip(self.held, self.exponents, strict=True):
                    levelled = rounded(weight.data, self._steps(weight, levels, exponents), *levels)
                    if levels[1] == 2:
                        levelled = weight.data.lerp(levelled, self.share.to(levelled.dtype))
                    weight.data = levelled
            for module in self.inputs:
                module.share = self.share if progress < GRADUAL else None
            yield
        finally:
            for module in self.inputs:
                module.share = None
            for (weight, _), data in zip(self.held, exact, strict=True):
                weight.data = data

    @torch.no_grad()
    def pass_gradients(self) -> None:
        """Compute the gradients of the steps from those at the rounded weights."""
        for (weight, levels), exponents in zip(self.held, self.exponents, strict=True):
            if weight.grad is None or levels[1] == 2:
                exponents.grad = None
                continue
            moved = slopes(weight.data, self._steps(weight, levels, exponents), *levels)
            moved.mul_(weight.grad)
            zero, count = levels
            # All weights of a channel add to a step's gradient, which should not speed it up.
            rows = by_output(moved, self._groups(weight))
            factor = (rows.shape[1] * max(zero, count - 1 - zero)) ** -0.5
            exponents.grad = rows.sum(1) * factor

    def _steps(self, weight: Tensor, levels: tuple[float, int], exponents: Tensor) -> Tensor:
        """Return the step of each output channel of a weight, in a shape to multiply it by."""
        if levels[1] == 2:
            sizes = by_output(weight.detach(), self._groups(weight)).abs().mean(1)
            steps = 2 * sizes.clamp(min=torch.finfo(sizes.dtype).tiny)
        else:
            steps = exponents.detach().exp()
        return over_outputs(steps, weight, self._groups(weight))

    def _groups(self, weight: Tensor) -> int | None:
        """Return the groups of the transposed convolution whose weight it is, None for others."""
        return self.transposed.get(id(weight))
