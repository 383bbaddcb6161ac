"""Weights on the line between those before training and the trained ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

SHARES = (1.0, 0.5, 0.25, 0.125, 0.0)
"""Positions on the line that are validated, the preferred first: 0 is untrained, 1 is trained."""


class InterpolatedWeights:
    """The weights before training, and a network with weights between those and its own.

    Interpolated weights may be better than both ends at what was not trained on (WiSE-FT:
    Wortsman et al. 2022, CVPR). Buffers are interpolated as well, except for integers.
    """

    def __init__(self, network: nn.Module) -> None:
        self.before = {name: tensor.clone() for name, tensor in network.state_dict().items()}

    def restore(self, before: Mapping[str, Tensor]) -> None:
        """Restore the weights before training from a checkpoint."""
        self._write(self.before, before)

    @contextmanager
    def applied(self, network: nn.Module, share: float) -> Iterator[None]:
        """Give a network the weights at a position on the line, and its own back at the end."""
        own = network.state_dict()  # shares memory with the network
        exact = {name: tensor.clone() for name, tensor in own.items()}
        try:
            self._write(own, {name: self._at(name, own[name], share) for name in own})
            yield
        finally:
            self._write(own, exact)

    def _at(self, name: str, trained: Tensor, share: float) -> Tensor:
        if share == 1 or not trained.is_floating_point():
            return trained
        return torch.lerp(self.before[name], trained, share)

    @staticmethod
    @torch.no_grad()
    def _write(into: Mapping[str, Tensor], values: Mapping[str, Tensor]) -> None:
        for name, tensor in into.items():
            tensor.copy_(values[name])
