"""Padding of every form, alone or taken in by the layer behind it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.importers.torch import from_module

PADS = [
    (1, 1, 1, 1), (0, 1, 0, 1), (1, 0, 1, 0), (1, 1), (0, 0, 1, 1), (2, 2, 1, 1), (1, 2, 3, 4),
    (-1, 2, 0, 0), (0, 0, 0, 0, 1, 1),
]  # fmt: skip
BEHIND = {
    "nothing": lambda: nn.Identity(),
    "pool": lambda: nn.MaxPool2d(2),
    "convolution": lambda: nn.LazyConv2d(5, 3, padding=1),
    "strided": lambda: nn.LazyConv2d(4, 3, stride=2),
}


class Padded(nn.Module):
    def __init__(self, pads: tuple[int, ...], value: float, behind: nn.Module) -> None:
        super().__init__()
        self.pads, self.value, self.behind = pads, value, behind

    def forward(self, x: Tensor) -> Tensor:
        padded: Tensor = self.behind(functional.pad(x.relu(), self.pads, value=self.value))
        return padded


@pytest.mark.parametrize("behind", BEHIND)
@pytest.mark.parametrize("value", [0.0, 1.5])
@pytest.mark.parametrize("pads", PADS, ids=str)
def test_sizes_are_torchs(pads: tuple[int, ...], value: float, behind: str) -> None:
    module = Padded(pads, value, BEHIND[behind]()).eval()
    expected = module(torch.zeros(1, 3, 9, 11)).shape[1:]
    graph = from_module(module, (3, 9, 11)).graph
    assert graph.by_name[graph.main.node].out == tuple(expected)
