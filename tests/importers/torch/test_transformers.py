"""Transformers and recurrent networks: imported whole, counted exactly, and built back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from archscope.build import build
from archscope.importers.torch import from_module
from archscope.weights import state_dict_of
from tests.importers.torch.test_modules import flops
from tests.zoo.oracle import randomise, torchvision


class Crnn(nn.Module):
    """A recurrent layer along the width of a map."""

    def __init__(self, rows: nn.Module, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.rows, self.classes = rows, nn.Linear(width, 5)

    def forward(self, x: Tensor) -> Tensor:
        columns = self.conv(x).relu().mean(2).permute(2, 0, 1)
        out: Tensor = self.classes(self.rows(columns)[0])
        return out.transpose(0, 1)


class LastState(nn.Module):
    """The last states of both directions."""

    def __init__(self) -> None:
        super().__init__()
        self.rows = nn.GRU(8, 6, bidirectional=True, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        states = self.rows(x)[1]
        return torch.cat([states[0], states[1]], dim=1)


class Masked(nn.Module):
    """Attention to earlier positions, by a mask, with the positions first."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.TransformerEncoderLayer(16, 2, 32)
        self.register_buffer("mask", nn.Transformer.generate_square_subsequent_mask(10))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(x.transpose(0, 1), src_mask=self.mask)
        return out.transpose(0, 1)


def swin() -> nn.Module:
    return torchvision().models.SwinTransformer([4, 4], 24, [2, 2], [3, 6], [4, 4])  # type: ignore[no-any-return]


def vit() -> nn.Module:
    return torchvision().models.VisionTransformer(32, 16, 2, 4, 64, 128)  # type: ignore[no-any-return]


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...], set[str]]] = {
    "vit": (vit, (3, 32, 32), {"dot_product_attention", "class_token", "position_embedding"}),
    "swin": (swin, (3, 32, 32), {"matmul", "softmax", "roll"}),
    "encoder layer": (
        lambda: nn.TransformerEncoderLayer(16, 2, 32, batch_first=True),
        (10, 16),
        {"dot_product_attention"},
    ),
    "masked": (Masked, (10, 16), {"scaled_dot_product_attention"}),
    "lstm": (
        lambda: Crnn(nn.LSTM(8, 6, 2, bidirectional=True), 12), (1, 8, 20), {"lstm"}
    ),
    "gru": (lambda: Crnn(nn.GRU(8, 6, bias=False), 6), (1, 8, 20), {"gru"}),
    "rnn": (lambda: Crnn(nn.RNN(8, 6, nonlinearity="relu"), 6), (1, 8, 20), {"rnn"}),
    "last state": (LastState, (20, 8), {"gru"}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_it_is_built_back(name: str) -> None:
    make, shape, words = CASES[name]
    torch.manual_seed(0)
    module: Any = make().eval()
    randomise(module)
    found = from_module(module, shape)
    graph = found.graph
    kinds = {node.op.name for node in graph.nodes}
    assert words <= kinds and "opaque" not in kinds
    params = sum(parameter.numel() for parameter in module.parameters())
    assert sum(node.own_params for node in graph.nodes) == params
    inputs = torch.rand(2, *shape)
    network = build(graph).eval()
    network.load_state_dict(state_dict_of(graph, found.weights()))
    with torch.no_grad():
        torch.testing.assert_close(network(inputs), module(inputs), rtol=1e-5, atol=1e-5)
    macs = sum(node.facts.macs for node in graph.nodes)
    module = module.to("meta")  # where torch counts recurrent layers, too
    assert 2 * macs == flops(module, (torch.rand(1, *shape, device="meta"),))


def test_attention_among_images_is_not_taken_for_attention_in_one() -> None:
    module = nn.TransformerEncoderLayer(16, 2, 32)  # the first axis are positions, not images
    graph = from_module(module, (10, 16)).graph
    assert "counted at batch 1" in graph.about


class Words(nn.Module):
    """Indices of a vocabulary, and attention among them."""

    def __init__(self) -> None:
        super().__init__()
        self.words = nn.Embedding(20, 16)
        self.layer = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.layer(self.words(x))
        return out


def test_indices_of_a_vocabulary() -> None:
    torch.manual_seed(0)
    module = Words().eval()
    words = torch.randint(20, (2, 10))
    found = from_module(module, words)
    network = build(found.graph).eval()
    network.load_state_dict(state_dict_of(found.graph, found.weights()))
    with torch.no_grad():
        torch.testing.assert_close(network(words), module(words), rtol=1e-5, atol=1e-5)
