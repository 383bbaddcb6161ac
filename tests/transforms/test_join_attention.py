"""Attention from its products and softmax: equal results, and what it must not take."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import archscope
from archscope import language
from archscope.build import build
from archscope.ir import Graph
from archscope.sources import imported
from archscope.transforms.join_attention import join_attention
from archscope.transforms.shorten_moves import shorten_moves
from archscope.weights import state_dict_of

QKV = """
input: [48, 4, 4]
layers:
  - conv: 72
    name: qkv
"""
HEADS = """
  - slice: {start: 0, stop: 24}
    from: qkv
  - reshape: [3, 8, 16]
  - permute: [0, 2, 1]
    name: q
  - slice: {start: 24, stop: 48}
    from: qkv
  - reshape: [3, 8, 16]
    name: k
  - slice: {start: 48, stop: 72}
    from: qkv
  - reshape: [3, 8, 16]
  - permute: [0, 2, 1]
    name: v
"""
START = QKV + HEADS
SCORES = "  - matmul: {}\n    from: [q, k]\n    name: scores\n"
SCALE = "  - mul_scalar: 0.3535533905932738\n"
SOFTMAX = "  - softmax: 2\n    name: weights\n"
VALUES = "  - matmul: {}\n    from: [weights, v]\n"
BACK = "  - permute: [0, 2, 1]\n  - reshape: [24, 4, 4]\n  - conv: 10\n"


def graph_of(*parts: str) -> Graph:
    return language.graph(language.document("net", text="".join((START, *parts)).encode()))


def same(before: Graph, after: Graph, names: dict[str, str]) -> bool:
    """Return whether two graphs compute the same, the second with some weights renamed."""
    torch.manual_seed(0)
    first, second = build(before).eval(), build(after).eval()
    state = {name: torch.randn_like(value) / 8 for name, value in first.state_dict().items()}
    first.load_state_dict(state)
    second.load_state_dict({names.get(name, name): value for name, value in state.items()})
    x = torch.randn(2, *before.inputs[0].out)
    made, wanted = second(x), first(x)
    assert isinstance(made, Tensor) and isinstance(wanted, Tensor)
    return torch.allclose(made, wanted, atol=1e-5)


JOINED = {
    "scaled": (SCORES, SCALE, SOFTMAX, VALUES, BACK),
    "not scaled": (SCORES, SOFTMAX, VALUES, BACK),
    "in two steps": (SCORES, "  - mul_scalar: 0.5\n" * 2, SOFTMAX, VALUES, BACK),
    "a mask": (SCORES, SCALE, "  - learned: [3, 16, 16]\n", SOFTMAX, VALUES, BACK),
    "a constant mask": (
        SCORES, SCALE, "  - learned: {size: [1, 16, 16], fixed: true}\n", SOFTMAX, VALUES, BACK,
    ),
    "queries and keys": (
        "  - mul_scalar: 0.6\n    from: q\n    name: less\n",
        "  - mul_scalar: 0.7\n    from: k\n    name: fewer\n",
        "  - matmul: {}\n    from: [less, fewer]\n", SOFTMAX, VALUES, BACK,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", JOINED)
def test_attention_is_one_operator(name: str) -> None:
    before = graph_of(*JOINED[name])
    after, names = join_attention(before)
    words = [node.op.name for node in after.nodes]
    assert words.count("scaled_dot_product_attention") == 1
    assert not {"matmul", "softmax", "mul_scalar", "learned"} & {*words}
    assert same(before, after, names)
    counts = [archscope.analyze(graph).totals for graph in (before, after, shorten_moves(after))]
    assert len({total.macs for total in counts}) == len({total.params for total in counts}) == 1
    assert len({total.buffers for total in counts}) == 1
    plain = "mask" not in name
    short = [node.op.name for node in shorten_moves(after).nodes]
    assert ("dot_product_attention" in short) == plain
    if "mask" in name:
        assert join_attention(before, masks=False) == (before, {})


def test_factors_before_moves_are_found() -> None:
    text = START.replace(
        "from: qkv\n  - reshape", "from: qkv\n  - mul_scalar: 0.3535533905932738\n  - reshape", 1
    )
    document = language.document("net", text=(text + SCORES + SOFTMAX + VALUES + BACK).encode())
    before = language.graph(document)
    after, names = join_attention(before)
    assert same(before, after, names)
    assert "dot_product_attention" in [node.op.name for node in shorten_moves(after).nodes]


@pytest.mark.parametrize(
    "parts",
    [
        (SCORES, SCALE, SOFTMAX.replace("2", "1"), VALUES, BACK),
        (SCORES, SCALE, SOFTMAX, VALUES, BACK, "  - identity:\n    from: weights\n    output: w\n"),
        (SCORES, SCALE, SOFTMAX, VALUES, BACK, "  - relu:\n    from: scores\n    output: w\n"),
        (SCORES, "  - learned: [3, 16, 16]\n", SCALE, SOFTMAX, VALUES, BACK),
        (SCORES, "  - learned: {size: [3, 16, 16], function: mul}\n", SOFTMAX, VALUES, BACK),
        (SCORES, "  - learned: [3, 16, 16]\n" * 2, SOFTMAX, VALUES, BACK),
        (SCORES, "  - relu\n", SOFTMAX, VALUES, BACK),
    ],
)
def test_what_is_not_attention_stays(parts: tuple[str, ...]) -> None:
    before = graph_of(*parts)
    assert join_attention(before) == (before, {})


class Block(nn.Module):
    """A block of a transformer whose attention is computed by products or by torch's function."""

    def __init__(self, fused: bool, width: int = 24, heads: int = 3, mask: bool = False) -> None:
        super().__init__()
        self.fused, self.heads = fused, heads
        self.norm, self.qkv = nn.LayerNorm(width), nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)
        self.bias = nn.Parameter(torch.randn(heads, 16, 16)) if mask else None

    def forward(self, x: Tensor) -> Tensor:
        n, t, c = x.shape
        qkv = self.qkv(self.norm(x)).reshape(n, t, 3, self.heads, c // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            mixed = functional.scaled_dot_product_attention(q, k, v)
        else:
            scores = q @ k.transpose(-2, -1) * (c // self.heads) ** -0.5
            scores = scores if self.bias is None else scores + self.bias
            mixed = scores.softmax(-1) @ v
        return x + self.out(mixed.transpose(1, 2).reshape(n, t, c))


class Transformer(nn.Module):
    def __init__(self, fused: bool, mask: bool = False) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 24, 4, 4)
        self.blocks = nn.Sequential(*(Block(fused, mask=mask) for _ in range(2)))
        for number, parameter in enumerate(self.parameters()):  # equal ones would be shared
            nn.init.normal_(parameter, std=0.1 + number / 100)
        self.head = nn.Linear(24, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x).flatten(2).transpose(1, 2)
        result: Tensor = self.head(self.blocks(x)[:, 0])
        return result


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("mask", [True, False])
@pytest.mark.filterwarnings("ignore")
def test_a_file_is_as_short_as_its_module(fused: bool, mask: bool, tmp_path: Path) -> None:
    torch.manual_seed(0)
    module = Transformer(fused, mask).eval()
    x = torch.randn(1, 3, 16, 16)
    path = tmp_path / "net.onnx"
    torch.onnx.export(module, (x,), str(path), dynamo=False, opset_version=17)
    found = imported(str(path))
    words = [node.op.name for node in found.graph.nodes]
    word = "scaled_dot_product_attention" if mask and not fused else "dot_product_attention"
    assert (words.count(word), "softmax" in words) == (2, False)
    network = build(found.graph).eval()
    network.load_state_dict(state_dict_of(found.graph, found.weights()))
    made = network(x)
    assert isinstance(made, Tensor)
    assert torch.allclose(made, module(x), atol=1e-5)
    if mask and not fused:
        return
    name = f"{__name__}:Transformer(fused=True)"
    of_module = imported(name, (3, 16, 16)).graph
    assert words == [node.op.name for node in of_module.nodes]
    totals = [archscope.analyze(graph).totals for graph in (found.graph, of_module)]
    assert totals[0].macs == totals[1].macs
    assert totals[0].peak_activation_bytes == totals[1].peak_activation_bytes


def test_masks_of_several_layers_stay_shared() -> None:
    block = SCORES + SCALE + "  - learned: [3, 16, 16]\n    share: table\n" + SOFTMAX + VALUES
    again = block.replace("scores", "scores2").replace("weights", "weights2")
    last = "  - add: {}\n    from: [first, second]\n" + BACK
    first = block + "    name: first\n"
    before = graph_of(first, again + "    name: second\n", last)
    after, names = join_attention(before)
    words = [node.op.name for node in after.nodes]
    assert words.count("scaled_dot_product_attention") == 2
    assert archscope.analyze(after).totals.params == archscope.analyze(before).totals.params
    assert same(before, after, names)
    # One of them is no attention: then both stay.
    apart = graph_of(first, again.replace("softmax: 2", "softmax: 1") + "    name: second\n", last)
    assert join_attention(apart) == (apart, {})
