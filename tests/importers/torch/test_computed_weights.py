"""Layers with weights computed from parameters, and parameters used as values."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from archscope.analysis.analyzer import analyze
from archscope.build import build
from archscope.folding.fold import readable
from archscope.importers.torch import from_module
from archscope.weights import state_dict_of
from tests.importers.torch.test_modules import flops


class LowRank(nn.Module):
    """A convolution with a product of two matrices added to its weights."""

    def __init__(self) -> None:
        super().__init__()
        self.conv, self.head = nn.Conv2d(3, 8, 3), nn.Linear(8, 8)
        self.down, self.up = nn.Parameter(torch.randn(8, 2)), nn.Parameter(torch.randn(2, 27))

    def forward(self, x: Tensor) -> Tensor:
        more = (self.down @ self.up).view(8, 3, 3, 3)
        x = functional.conv2d(x, self.conv.weight + more, self.conv.bias)
        out: Tensor = self.head(x.mean((2, 3)))
        return out


class Orthogonal(nn.Module):
    """A linear layer whose weights are kept orthogonal."""

    def __init__(self, kind: str, out: int = 6) -> None:
        super().__init__()
        layer = nn.Linear(6, out)
        self.turn = nn.utils.parametrizations.orthogonal(layer, orthogonal_map=kind)
        self.head = nn.Linear(out, 5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.head(self.turn(x))
        return out


class Pooled(nn.Module):
    """Attention of learned queries to the input."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(1, 3, 16))
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        queries = self.queries.expand(len(x), -1, -1)
        out: Tensor = queries + self.attention(queries, x, x, need_weights=False)[0]
        return out


class Decoder(nn.Module):
    """Learned queries that pay attention to one another first."""

    def __init__(self) -> None:
        super().__init__()
        self.queries = nn.Parameter(torch.randn(5, 16))
        layer = nn.TransformerDecoderLayer(16, 4, 32, batch_first=True)
        self.decoder = nn.TransformerDecoder(layer, 2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.decoder(self.queries.unsqueeze(0).repeat(len(x), 1, 1), x)
        return out


class TwoTokens(nn.Module):
    """Two tokens of two parameters, one of which is added again at the end."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.other = (nn.Parameter(torch.randn(1, 1, 16)) for _ in range(2))
        self.layer = nn.TransformerEncoderLayer(16, 4, 32, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = [part.expand(len(x), -1, -1) for part in (self.first, self.other)]
        x = self.layer(torch.cat([*tokens, x], 1))
        return x[:, 0] + self.first[:, 0]


class Transposed(nn.Module):
    """A decoder with the weights of the encoder, as in tied autoencoders."""

    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(8, 4)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(self.layer(x).relu(), self.layer.weight.t())


class Dilated(nn.Module):
    """The same weights at two dilations."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 3, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        wide = functional.conv2d(x, self.conv.weight, self.conv.bias, padding=2, dilation=2)
        out: Tensor = self.conv(x) + wide
        return out


class Memory(nn.Module):
    """Keys that are computed of parameters, and values that are parameters."""

    def __init__(self) -> None:
        super().__init__()
        self.keys, self.values = (nn.Parameter(torch.randn(10, 8)) for _ in range(2))
        self.project = nn.Linear(8, 8)

    def forward(self, x: Tensor) -> Tensor:
        return (x @ self.project(self.keys).t()).softmax(-1) @ self.values


class PositionBias(nn.Module):
    """Attention with a bias that a small network makes of coordinates, as in Swin V2."""

    table: Tensor
    index: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.bias = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Linear(16, 4, bias=False))
        self.qkv = nn.Linear(16, 48)
        self.register_buffer("table", torch.randn(49, 2))
        self.register_buffer("index", torch.randint(0, 49, (16, 16)))

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = self.qkv(x).view(len(x), 16, 3, 4, 4).permute(2, 0, 3, 1, 4).unbind(0)
        bias = self.bias(self.table)[self.index.view(-1)].view(16, 16, 4).permute(2, 0, 1)
        scores = (q @ k.transpose(-1, -2) + 16 * bias.sigmoid()).softmax(-1)
        return x + (scores @ v).transpose(1, 2).reshape(x.shape)


class Temperature(nn.Module):
    """A learned temperature of cosines; the parameters are called like operators."""

    def __init__(self) -> None:
        super().__init__()
        self.mul = nn.Linear(8, 6)
        self.t, self.exp = nn.Parameter(torch.tensor(2.6)), nn.Parameter(torch.randn(5, 6))

    def forward(self, x: Tensor) -> Tensor:
        normal = functional.normalize(self.exp, dim=-1)
        return self.t.exp() * functional.normalize(self.mul(x), dim=-1) @ normal.t()


CASES: dict[str, tuple[Callable[[], nn.Module], tuple[int, ...]]] = {
    "low rank": (LowRank, (3, 8, 8)),
    "matrix exponential": (lambda: Orthogonal("matrix_exp"), (6,)),
    "cayley": (lambda: Orthogonal("cayley"), (6,)),
    "householder": (lambda: Orthogonal("householder", 4), (6,)),
    "learned queries": (Pooled, (7, 16)),
    "decoder": (Decoder, (7, 16)),
    "two tokens": (TwoTokens, (7, 16)),
    "transposed": (Transposed, (8,)),
    "dilated": (Dilated, (3, 8, 8)),
    "memory": (Memory, (5, 8)),
    "temperature": (Temperature, (8,)),
    "position bias": (lambda: nn.Sequential(*(PositionBias() for _ in range(4))), (16, 16)),
}


@pytest.mark.parametrize("name", CASES)
def test_it_is_counted_and_built_back(name: str) -> None:
    make, shape = CASES[name]
    torch.manual_seed(0)
    module: Any = make().eval().requires_grad_(False)  # or the counter fails on what is expanded
    found = from_module(module, shape)
    read = readable(found.graph)
    totals, params = analyze(read.graph).totals, sum(p.numel() for p in module.parameters())
    assert not any(node.op.unknown for node in read.graph.nodes)
    assert (totals.params, 2 * totals.macs) == (params, flops(module, (torch.rand(1, *shape),)))
    network = build(read.graph).eval()
    network.load_state_dict(state_dict_of(read.graph, found.weights(), read.names))
    inputs = torch.rand(2, *shape)
    with torch.no_grad():
        torch.testing.assert_close(network(inputs), module(inputs), rtol=1e-5, atol=1e-5)


def test_copies_of_parameters_are_said() -> None:
    assert (
        "have copies of these parameters: layer.weight"
        in from_module(Transposed(), (8,)).graph.about
    )


def test_layers_with_computed_weights_are_folded() -> None:
    text = readable(from_module(CASES["position bias"][0](), (16, 16)).graph).text
    assert text.count("softmax: 2") == 1
    assert "repeat: 4" in text
    assert "params: 112" in text and f"weight_macs: {49 * 2 * 16 + 49 * 16 * 4}" in text
