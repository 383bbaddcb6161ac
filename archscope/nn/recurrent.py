"""Recurrent layers on (N, C, rows..., positions), which process each row in sequence."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class _Recurrent(nn.Module):
    """Mixin for torch's recurrent layers: channels first, and a single tensor as the result.

    `result` is "sequence", "state" for the last state of each direction of the last layer, or
    "sequence_and_cell" for the sequence with the last cells as one more position.
    """

    def __init__(self, channels: int, hidden: int, result: str = "sequence", **words: Any) -> None:
        super().__init__(channels, hidden, batch_first=True, **words)
        self.result = result

    def forward(self, x: Tensor, *first: Tensor) -> Tensor:
        """Return (N, directions * hidden, rows..., positions), without positions for the state.

        First states and cells are (N, directions * hidden), and zeros by default.
        """
        directions = 2 if self.bidirectional else 1
        apart = [torch.stack([*part.chunk(directions, dim=1)]) for part in first]
        given = tuple(apart) if len(apart) > 1 else apart[0] if apart else None
        rows = x.movedim(1, -1)
        out, states = super().forward(rows.flatten(0, -3), given)
        if self.result == "state":
            last: Tensor = states[0] if isinstance(states, tuple) else states
            joined = torch.cat([*last[-directions:]], dim=1)
            return joined.reshape(*rows.shape[:-2], -1).movedim(-1, 1)
        sequence: Tensor = out.reshape(*rows.shape[:-1], -1).movedim(-1, 1).contiguous()
        if self.result == "sequence":
            return sequence
        return torch.cat([sequence, torch.cat([*states[1]], dim=1).unsqueeze(2)], dim=2)


class LSTM(_Recurrent, nn.LSTM):  # type: ignore[misc]
    """Long short-term memory."""


class GRU(_Recurrent, nn.GRU):  # type: ignore[misc]
    """Gated recurrent units."""


class RNN(_Recurrent, nn.RNN):  # type: ignore[misc]
    """Elman's recurrent network."""


def _products(cell: Any, x: Tensor, state: Tensor | None) -> tuple[Tensor, Tensor]:
    """Return the product of the input, and that of the state or of zeros, as tools count both."""
    state = x.new_zeros(x.shape[0], cell.hidden_size) if state is None else state
    own = functional.linear(x, cell.weight_ih, cell.bias_ih)
    return own, functional.linear(state, cell.weight_hh, cell.bias_hh)


class LSTMCell(nn.LSTMCell):
    """A step of long short-term memory, whose states are inputs, and zeros by default."""

    def forward(  # type: ignore[override]
        self, x: Tensor, state: Tensor | None = None, cell: Tensor | None = None
    ) -> Tensor:
        """Return the next state and the next cell, (N, 2 * hidden)."""
        own, product = _products(self, x, state)
        i, f, g, o = (own + product).chunk(4, dim=1)
        cell = torch.zeros_like(i) if cell is None else cell
        cell = f.sigmoid() * cell + i.sigmoid() * g.tanh()
        return torch.cat([o.sigmoid() * cell.tanh(), cell], dim=1)


class GRUCell(nn.GRUCell):
    """A step of gated recurrent units, whose state is an input, and zeros by default."""

    def forward(self, x: Tensor, state: Tensor | None = None) -> Tensor:
        """Return the next state."""
        own, product = _products(self, x, state)
        (r, z, n), (hr, hz, hn) = own.chunk(3, dim=1), product.chunk(3, dim=1)
        new, keep = (n + (r + hr).sigmoid() * hn).tanh(), (z + hz).sigmoid()
        state = torch.zeros_like(new) if state is None else state
        return (1 - keep) * new + keep * state


class RNNCell(nn.RNNCell):
    """A step of Elman's network, whose state is an input, and zeros by default."""

    def forward(self, x: Tensor, state: Tensor | None = None) -> Tensor:
        """Return the next state."""
        own, product = _products(self, x, state)
        return (own + product).tanh() if self.nonlinearity == "tanh" else (own + product).relu()
