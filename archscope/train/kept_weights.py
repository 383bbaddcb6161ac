"""Keep properties of weights during training: zeros, or equal values."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from archscope.train.recipe import Keep


class KeptWeights:
    """Restores weights after every step: zeros to zero, or equal weights to equal values.

    Equal weights get their mean, which is the step of their shared value up to its length (Han et
    al. 2016). Applies only to kernels and matrices. Everything follows from the weights, so that a
    resumed training needs no other state.
    """

    def __init__(self, weights: Mapping[str, Tensor], keep: Keep) -> None:
        self.groups: dict[
            str, tuple[Tensor, int]
        ] = {}  # the group of each weight, the number of groups
        self.zeros: dict[str, Tensor] = {}
        for name, weight in weights.items():
            if weight.ndim < 2:
                continue
            zeros = weight.detach() == 0
            if zeros.any():
                self.zeros[name] = zeros
            if keep == "values":
                values, groups = torch.unique(weight.detach(), return_inverse=True)
                self.groups[name] = groups.flatten(), len(values)

    @torch.no_grad()
    def restore(self, weights: Mapping[str, Tensor]) -> None:
        """Change weights in place."""
        for name, (groups, count) in self.groups.items():
            flat = weights[name].flatten().double()
            sums = flat.new_zeros(count).index_add_(0, groups, flat)
            means = sums / torch.bincount(groups, minlength=count)
            weights[name].copy_(means[groups].view(weights[name].shape))
        for name, zeros in self.zeros.items():
            weights[name].masked_fill_(zeros, 0.0)


def kept_weights(network: nn.Module, keep: Keep | None) -> KeptWeights | None:
    """Return the object that keeps a property of a network's current weights."""
    return KeptWeights(dict(network.named_parameters()), keep) if keep else None
