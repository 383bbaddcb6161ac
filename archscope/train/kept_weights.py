"""What weights have in common before a training, kept through it: zeros, or equal values."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from archscope.train.recipe import Keep


class KeptWeights:
    """Puts weights back after every step: to zero where they were, or equal where they were.

    Weights that were equal take their mean, which is the step of the value that they share but
    for its length (Han et al. 2016). Holds for kernels and matrices alone. All follows from the
    weights themselves, so that a training that goes on needs nothing else.
    """

    def __init__(self, weights: Mapping[str, Tensor], keep: Keep) -> None:
        self.groups: dict[str, tuple[Tensor, int]] = {}  # the group of each weight, how many
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

    def holds(self, weights: Mapping[str, Tensor]) -> bool:
        """Whether weights have in common what they should."""
        restored = {name: tensor.clone() for name, tensor in weights.items()}
        self.restore(restored)
        return all(torch.equal(restored[name], weights[name]) for name in weights)


def kept_weights(network: nn.Module, keep: Keep | None) -> KeptWeights | None:
    """Return what a training keeps of the weights that a network has now."""
    return KeptWeights(dict(network.named_parameters()), keep) if keep else None
