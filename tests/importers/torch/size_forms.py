"""Tensors that take their sizes or types from others, and places that are known."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from tests.importers.torch.ordinary_forms import Held, Ordinary


def _part_of_haar(x: Tensor) -> Tensor:
    """An inverse wavelet transform, written into every second row and column."""
    n, c, h, w = x.shape
    out = x.new_zeros(n, c // 2, h * 2, w * 2)
    out[:, :, 0::2, 0::2], out[:, :, 1::2, 1::2] = x[:, : c // 2], x[:, c // 2 :]
    return out


def _known_order(x: Tensor) -> Tensor:
    rows = torch.tensor([5, 0, 3])[None, None, :, None].repeat(x.shape[0], 8, 1, 12)
    return torch.gather(x, 2, rows)


class MaskMadeHere(nn.Module):
    """An encoder with a causal mask of truth values, which torch compares with its own."""

    def __init__(self) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(8, 2, 16, batch_first=True)
        self.layers = nn.TransformerEncoder(layer, 1)

    def forward(self, x: Tensor) -> Tensor:
        mask = torch.ones(12, 12, dtype=torch.bool).triu(1)
        out: Tensor = self.layers(x.mean(2).transpose(1, 2), mask=mask)
        return out


SIZES: dict[str, nn.Module] = {
    "expand_as": Held(lambda x, w: x * w.view(1, -1, 1, 1).expand_as(x), 3),
    "expand_as_of_data": Ordinary(lambda x: x.mean(2, keepdim=True).expand_as(x).sigmoid(), last=8),
    "expand_as_under_function": Held(lambda x, w: x + w[:, None, None].expand_as(x).tanh(), 3),
    "expand_as_joined": Held(lambda x, w: torch.cat([x, w[:, None, None].expand_as(x)], 1), 3),
    "expand_as_chosen": Held(
        lambda x, w: torch.where(x > 0, x, w[:, None, None].expand_as(x) * x), 3
    ),
    "reshape_as": Held(lambda x, w: x[:, :1] * w.reshape_as(torch.empty(8, 12)), 96),
    "view_as": Held(lambda x, w: x[:, 0] - w.view_as(torch.empty(8, 12)), 96),
    "type_as": Held(lambda x, w: x * w.type_as(x), 3, 1, 1),
    "to_other": Held(lambda x, w: x * w.to(x), 3, 1, 1, fixed=True),
    "broadcast_tensors": Held(lambda x, w: torch.mul(*torch.broadcast_tensors(x, w)), 3, 1, 1),
    "broadcast_of_data": Ordinary(
        lambda x: torch.cat(torch.broadcast_tensors(x, x.mean(1, keepdim=True)), 1), last=16
    ),
    "broadcast_to": Held(lambda x, w: x + torch.broadcast_to(w, x.shape), 3, 1, 1),
    "part_of_haar": Ordinary(_part_of_haar, last=4),
    "known_order": Ordinary(_known_order, last=8),
    "mask_made_here": Ordinary(MaskMadeHere()),
    "number_of_an_image": Ordinary(
        lambda x: torch.linalg.det(x[:, 0, :, :8]) + x.mean((1, 2, 3)) * x.flatten(1)[:, 0]
    ),
}
