"""Recurrent layers on (N, C, positions), one position after the other."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn


class _Recurrent(nn.Module):
    """Mixin for torch's recurrent layers: channels first, and one tensor as the result.

    `state` returns the last state of each direction of the last layer, in place of all outputs.
    """

    def __init__(self, channels: int, hidden: int, state: bool = False, **words: Any) -> None:
        super().__init__(channels, hidden, batch_first=True, **words)
        self.state = state

    def forward(self, x: Tensor) -> Tensor:
        """Return (N, directions * hidden, positions), or (N, directions * hidden)."""
        out, states = super().forward(x.transpose(1, 2))
        if not self.state:
            sequence: Tensor = out.transpose(1, 2).contiguous()
            return sequence
        last: Tensor = states[0] if isinstance(states, tuple) else states
        directions = 2 if self.bidirectional else 1
        return torch.cat([*last[-directions:]], dim=1)


class LSTM(_Recurrent, nn.LSTM):  # type: ignore[misc]
    """Long short-term memory."""


class GRU(_Recurrent, nn.GRU):  # type: ignore[misc]
    """Gated recurrent units."""


class RNN(_Recurrent, nn.RNN):  # type: ignore[misc]
    """Elman's recurrent network."""
