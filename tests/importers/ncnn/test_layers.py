"""Layers of ncnn against torch, each in a file of its own; ncnn's results are the source."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as fn

from archscope.build import build
from archscope.errors import ArchscopeError
from archscope.ir import Graph, Shape
from archscope.sources import imported

MAP, ROWS = (6, 5, 7), (6, 7)


def graph_of(where: Path, lines: Sequence[str]) -> Graph:
    (where / "net.param").write_text(f"7767517\n{len(lines)} {len(lines)}\n" + "\n".join(lines))
    return imported(str(where / "net.param"), None).graph


def input_line(name: str, shape: Shape) -> str:
    numbers = {1: (0,), 2: (1, 0), 3: (2, 1, 0), 4: (2, 11, 1, 0)}[len(shape)]
    sizes = (f"{number}={n}" for number, n in zip(numbers, shape, strict=True))
    return f"Input {name} 0 1 {name} {' '.join(sizes)}"


def layer_lines(kind: str, params: str, *shapes: Shape) -> list[str]:
    names = [f"x{place}" for place in range(len(shapes))]
    lines = [input_line(name, shape) for name, shape in zip(names, shapes, strict=True)]
    return [*lines, f"{kind} layer {len(names)} 1 {' '.join(names)} y {params}"]


def run(graph: Graph, *inputs: Tensor) -> Tensor:
    module = build(graph).eval()
    with torch.no_grad():
        made: Tensor = module(*(x[None] for x in inputs))[0]
    return made


ONE: list[tuple[str, str, Shape, Callable[[Tensor], Tensor]]] = [
    ("Reshape", "0=21 1=-1 2=0", (84,), lambda x: x.reshape(1, 4, 21)),  # channels it lacks are 1
    ("Reshape", "0=0 1=-1 2=3", MAP, lambda x: x.reshape(3, 10, 7)),
    ("Reshape", '6="*(0w,2),-1,//(0c,2)"', MAP, lambda x: x.reshape(3, 5, 14)),
    ("Reshape", "0=3 1=5 11=2 2=-1", (6, 35), lambda x: x.reshape(7, 2, 5, 3)),
    ("Permute", "0=3", MAP, lambda x: x.permute(1, 2, 0)),
    ("Permute", "0=14", (2, 3, 4, 5), lambda x: x.permute(2, 1, 0, 3)),
    ("Softmax", "0=-1 1=1", MAP, lambda x: x.softmax(2)),
    ("CumulativeSum", "0=1", MAP, lambda x: x.cumsum(1)),
    ("GLU", "0=0", MAP, lambda x: fn.glu(x, 0)),
    ("Reduction", "0=4 1=0 -23303=1,-1 4=0 5=1", MAP, lambda x: x.amax(2)),
    ("Reduction", "0=2 1=0 2=0.5 -23303=1,0 4=1 5=1", MAP,
     lambda x: x.square().sum(0, keepdim=True) / 2),
    ("Reduction", "0=10 1=1", MAP, lambda x: x.flatten().logsumexp(0, keepdim=True)),
    ("BinaryOp", "0=1 1=1 2=1.5", MAP, lambda x: x - 1.5),
    ("BinaryOp", "0=3 1=1 2=1.5", MAP, lambda x: x / 1.5),
    ("BinaryOp", "0=4 1=1 2=0.5", MAP, lambda x: x.clamp(min=0.5)),
    ("BinaryOp", "0=7 1=1 2=1", MAP, lambda x: 1 - x),
    ("BinaryOp", "0=8 1=1 2=2", MAP, lambda x: 2 / x),
    ("BinaryOp", "0=9 1=1 2=2", MAP, lambda x: 2**x),
    ("BinaryOp", "0=15 1=1 2=0.3", MAP, lambda x: (x / 0.3).floor()),
    ("UnaryOp", "0=1", MAP, lambda x: -x),
    ("UnaryOp", "0=16", MAP, torch.tanh),
    ("UnaryOp", "0=27", MAP, torch.log1p),
    ("Power", "0=2 1=0.5 2=1.5", MAP, lambda x: (1.5 + x / 2) ** 2),
    ("Exp", "0=2 1=0.5", MAP, lambda x: 2 ** (x / 2)),
    ("Log", "1=0.5 2=3", MAP, lambda x: (3 + x / 2).log()),
    ("ELU", "", MAP, lambda x: fn.elu(x - 1, 0.1)),
    ("CELU", "0=0.7", MAP, lambda x: fn.celu(x - 1, 0.7)),
    ("SELU", "", MAP, lambda x: fn.selu(x - 1)),
    ("GELU", "0=1", MAP, lambda x: fn.gelu(x - 1, approximate="tanh")),
    ("HardSwish", "", MAP, lambda x: (x - 1) * (0.2 * (x - 1) + 0.5).clamp(0, 1)),
    ("HardSigmoid", "0=0.3", MAP, lambda x: (0.3 * (x - 1) + 0.5).clamp(0, 1)),
    ("Clip", "0=-0.5 1=0.25", MAP, lambda x: (x - 1).clamp(-0.5, 0.25)),
    ("Dropout", "0=0.5", MAP, lambda x: x / 2),
    ("LRN", "0=1 1=3 2=0.5", MAP,
     lambda x: x * (1 + fn.avg_pool2d(x * x, 3, 1, 1) / 2) ** -0.75),
    ("MVN", "1=1", MAP, lambda x: x - x.mean()),
    ("LayerNorm", "0=35 2=0", MAP, lambda x: fn.layer_norm(x, (5, 7), eps=0.001)),
    ("RMSNorm", "0=7 2=0", ROWS, lambda x: fn.rms_norm(x, (7,), eps=0.001)),
    ("StatisticsPooling", "0=1", MAP,
     lambda x: torch.cat([x.mean((1, 2)), x.std((1, 2), correction=0)])),
    ("PixelShuffle", "0=2 1=1", (8, 3, 4),
     lambda x: fn.pixel_shuffle(x.reshape(4, 2, 3, 4).transpose(0, 1).reshape(8, 3, 4), 2)),
    ("Interp", "0=2 3=9 4=11 6=1", MAP,
     lambda x: fn.interpolate(x[None], (9, 11), mode="bilinear", align_corners=True)[0]),
    ("Interp", "0=2 1=1.3 2=0.7", MAP,
     lambda x: fn.interpolate(x[None], scale_factor=(1.3, 0.7), mode="bilinear")[0]),
    ("Interp", "0=1 3=4 4=5", (8,), lambda x: x[:, None, None].expand(8, 4, 5)),
    ("Interp", "0=2 3=1 4=12", ROWS, lambda x: fn.interpolate(x[None], 12, mode="linear")[0]),
    ("Padding", "0=1 1=2 2=3 3=1 5=1.5", MAP, lambda x: fn.pad(x, (3, 1, 1, 2), value=1.5)),
    ("Padding", "0=1 1=2 2=3 3=1 4=2", ROWS,
     lambda x: fn.pad(x[None], (3, 1, 1, 2), mode="reflect")[0]),
    ("Padding", "7=1 8=2", MAP, lambda x: fn.pad(x, (0, 0, 0, 0, 1, 2))),
    ("Crop", "-23309=2,1,-3 -23310=2,-1,2147483647 -23311=2,0,2", MAP, lambda x: x[1:-1, :, -3:]),
    ("Crop", '19="//(0w,4),0" 20="0w,//(0h,2)" 21="2,1"', MAP, lambda x: x[:, :2, 1:]),
    ("Tile", "-23302=4,1,2,1,3", MAP, lambda x: x[:, None].tile(1, 2, 1, 3)),
    ("Squeeze", "0=1", (6, 1, 1), lambda x: x[..., 0]),
    ("ExpandDims", "-23303=2,0,2", ROWS, lambda x: x[None, :, None]),
    ("Flip", "-23300=2,0,-1", MAP, lambda x: x.flip(0, 2)),
    ("Pooling", "0=1 1=3 2=2 3=1 6=1", (3, 8, 7),
     lambda x: fn.avg_pool2d(fn.pad(x, (1, 1, 1, 2)), 3, 2)),
    ("Pooling", "0=1 1=3 2=2 5=2", (3, 8, 7),
     lambda x: fn.avg_pool2d(fn.pad(x, (1, 1, 0, 1)), 3, 2)),
    ("Pooling", "0=0 1=5 14=4 15=4 5=1", (3, 8, 7),
     lambda x: fn.max_pool2d(fn.pad(x, (0, 4, 0, 4), value=-9.0), 5, 1)),
    ("Pooling1D", "0=0 7=1 8=3", (4, 10), lambda x: fn.adaptive_max_pool1d(x, 3)),
    ("Pooling3D", "0=1 4=1", (2, 6, 7, 8), lambda x: x.mean((1, 2, 3))),
    ("Unfold", "1=3 3=2 4=1", (2, 6, 7), lambda x: fn.unfold(x[None], 3, padding=1, stride=2)[0]),
    ("Fold", "1=2 3=2 20=6 21=4", (8, 6), lambda x: fn.fold(x[None], (4, 6), 2, stride=2)[0]),
]  # fmt: skip

SHIFTED = ("ELU", "CELU", "SELU", "GELU", "HardSwish", "HardSigmoid", "Clip")


@pytest.mark.parametrize(("kind", "params", "shape", "wanted"), ONE)
def test_layer_of_one_blob(
    kind: str, params: str, shape: Shape, wanted: Callable[[Tensor], Tensor], tmp_path: Path
) -> None:
    x = torch.rand(shape) + 0.1
    graph = graph_of(tmp_path, layer_lines(kind, params, shape))
    assert not any(node.op.unknown for node in graph.nodes)
    made = run(graph, x - 1 if kind in SHIFTED else x)
    assert made.shape == wanted(x).shape
    assert torch.allclose(made, wanted(x), atol=1e-5)


def rotary(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    a, b = x[..., 0::2], x[..., 1::2]
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    return fn.scaled_dot_product_attention(q, k, v, mask, enable_gqa=True, scale=0.3)


SEVERAL: list[tuple[str, str, Sequence[Shape], Callable[..., Tensor]]] = [
    ("Reshape", '6="1w,1h,-1"', [(4, 6, 6), (2, 3, 6)], lambda x, y: x.reshape(8, 3, 6)),
    ("BinaryOp", "0=1", [MAP, (6,)], lambda x, y: x - y[:, None, None]),
    ("BinaryOp", "0=8", [(7,), MAP], lambda x, y: y / x),
    ("BinaryOp", "0=0", [MAP, (6, 5)], lambda x, y: x + y[..., None]),
    ("BinaryOp", "0=15", [MAP, MAP], lambda x, y: (x / y).floor()),
    ("Interp", "0=2 5=1", [MAP, (2, 8, 9)],
     lambda x, y: fn.interpolate(x[None], (8, 9), mode="bilinear")[0]),
    ("Crop", "0=1 1=1", [MAP, (2, 3, 4)], lambda x, y: x[:2, 1:4, 1:5]),
    ("CopyTo", "-23309=1,2 -23311=1,0", [MAP, (3, 5, 7)],
     lambda x, y: torch.cat([x[:2], y, x[5:]])),
    ("Eltwise", "0=2", [MAP, MAP, MAP], lambda x, y, z: x.maximum(y).maximum(z)),
    ("MatMul", "0=1", [(3, 5, 4), (6, 4)], lambda x, y: x @ y.T),
    ("MatMul", "", [(3, 5, 4), (4,)], lambda x, y: x @ y),
    ("MatMul", "", [(2, 1, 5, 4), (2, 3, 4, 6)], lambda x, y: x @ y),
    ("Gemm", "0=0.5 1=2 2=1 3=1 14=1 11=1", [(4, 5), (6, 4), (6,)],
     lambda x, y, z: ((x.T @ y.T + 2 * z) / 2).T[:, None]),
    ("Einsum", "-23300=14,105,109,106,107,44,108,105,109,45,62,105,106,107,108",
     [(4, 8, 3, 5), (7, 4, 8)], lambda x, y: torch.einsum("imjk,lim->ijkl", x, y)),
    ("SDPA", "", [(2, 5, 4), (2, 7, 4), (2, 7, 3)], fn.scaled_dot_product_attention),
    ("SDPA", "5=1 6=0.3", [(4, 5, 4), (2, 7, 4), (2, 7, 3), (5, 7)], attention),
    ("RotaryEmbed", "0=1", [(2, 5, 8), (5, 4), (5, 4)], rotary),
    ("RotaryEmbed", "0=1", [(5, 8), (5, 4), (5, 4)], rotary),
    ("GridSample", "0=1 1=2 2=1 3=1", [(3, 5, 6), (2, 4, 3)],
     lambda x, y: fn.grid_sample(x[None], y.permute(1, 2, 0)[None], padding_mode="border",
                                align_corners=True)[0]),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "params", "shapes", "wanted"), SEVERAL)  # fmt: skip
def test_layer_of_several_blobs(
    kind: str, params: str, shapes: Sequence[Shape], wanted: Callable[..., Tensor], tmp_path: Path
) -> None:
    inputs = [torch.rand(shape) + 0.1 for shape in shapes]
    lines = layer_lines(kind, params, *shapes)
    graph = graph_of(tmp_path, lines)
    assert not any(node.op.unknown for node in graph.nodes)
    read = [place for place in range(len(shapes)) if f"x{place}" in {n.name for n in graph.nodes}]
    made = run(graph, *(inputs[place] for place in read))
    assert made.shape == wanted(*inputs).shape
    assert torch.allclose(made, wanted(*inputs), atol=1e-5)


WEIGHTS: list[tuple[str, str, Sequence[Shape], Shape, int]] = [  # params
    ("Convolution", "0=4 1=3 3=2 4=-234 6=216", [(6, 9, 10)], (4, 5, 5), 216),
    ("Convolution", "0=4 1=3 4=1 5=1 6=216 18=1.5", [(6, 9, 10)], (4, 9, 10), 220),
    ("Convolution", "0=4 1=1 5=1 6=32", [(8,)], (4,), 36),
    ("Convolution1D", "0=4 1=3 3=2 4=1 15=0 6=72 9=1", [(6, 11)], (4, 5), 72),
    ("Convolution3D", "0=4 1=1 11=2 21=3 14=1 24=2 4=0 6=72", [(3, 5, 6, 7)], (4, 7, 7, 7), 72),
    ("Deconvolution", "0=4 1=3 3=2 4=1 14=0 15=0 16=1 6=216", [(6, 9, 10)], (4, 18, 20), 216),
    ("Deconvolution", "0=4 1=5 3=2 4=-234 20=20 21=18 6=600", [(6, 9, 10)], (4, 18, 20), 600),
    ("InnerProduct", "0=4 1=1 2=28", [ROWS], (6, 4), 32),
    ("InnerProduct", "0=4 1=1 2=168", [ROWS], (4,), 172),
    ("LSTM", "0=5 1=140", [ROWS], (6, 5), 4 * 5 * (7 + 5 + 1)),
    ("LSTM", "0=5 1=224 3=8", [ROWS], (6, 5), 4 * 8 * (7 + 5 + 1) + 5 * 8),
    ("GRU", "0=5 1=210 2=2", [ROWS], (6, 10), 2 * 5 * (3 * 7 + 3 * 5 + 4)),
    ("RNN", "0=5 1=35 2=1", [ROWS], (6, 5), 5 * (7 + 5 + 1)),
    ("Embed", "0=5 1=10 2=1 3=50", [(6,)], (6, 5), 55),
    ("Gemm", "4=1 6=1 7=6 8=5 9=4 10=1", [(4, 5)], (6, 5), 30),
    ("Gemm", "3=1 5=1 6=1 7=5 8=6 9=4 10=3", [(5, 4)], (5, 6), 54),
    ("MultiHeadAttention", "0=8 1=2 2=96 3=6 4=6", [(5, 12), (7, 6)], (5, 12),
     2 * (96 + 48) + 24 + 12),
    ("MultiHeadAttention", "0=8 1=2 2=64 5=1", [(5, 8), (5, 5)], (5, 8), 4 * 72),
    ("Normalize", "3=6 4=1", [MAP], MAP, 6),
    ("Bias", "0=6", [MAP], MAP, 6),
]  # fmt: skip


@pytest.mark.filterwarnings("ignore:LSTM with projections")
@pytest.mark.parametrize(("kind", "params", "shapes", "out", "count"), WEIGHTS)  # fmt: skip
def test_layer_with_weights(
    kind: str, params: str, shapes: Sequence[Shape], out: Shape, count: int, tmp_path: Path
) -> None:
    graph = graph_of(tmp_path, layer_lines(kind, params, *shapes))
    assert not any(node.op.unknown for node in graph.nodes)
    held = sum(n.facts.params if n.new_params is None else n.new_params for n in graph.nodes)
    assert held == count
    made = run(graph, *(torch.zeros(shape) for shape in shapes))
    assert made.shape == out == graph.nodes[-1].out


def test_products_of_rows_are_torchs(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, [
        input_line("x", (5, 8)),
        "MultiHeadAttention mha 1 1 x y 0=8 1=2 2=64 6=0.3",
        "Gemm up 1 1 y z 3=1 5=1 6=1 8=6 9=8 10=4",
    ])  # fmt: skip
    x, module = torch.rand(5, 8), build(graph).eval()
    held: dict[str, Any] = dict(module.named_parameters())
    weights = {name: value.detach().squeeze(-1) for name, value in held.items()}
    q, k, v = (
        (x @ weights[f"mha_{word}.weight"].T + weights[f"mha_{word}.bias"])
        .reshape(5, 2, 4).transpose(0, 1) for word in ("query", "key", "value")
    )  # fmt: skip
    y = fn.scaled_dot_product_attention(q, k, v, scale=0.3).transpose(0, 1).reshape(5, 8)
    for word in ("mha", "up"):
        y = y @ weights[f"{word}.weight"].T + weights[f"{word}.bias"]
    with torch.no_grad():
        assert torch.allclose(module(x[None])[0], y, atol=1e-5)


def test_constants_are_held_once(tmp_path: Path) -> None:
    lines = [
        "MemoryData c 0 1 c 0=7 1=6",
        "Split copies 1 2 c c0 c1",
        input_line("x", ROWS),
        "MemoryData token 0 1 token 0=7 1=1",
        "MemoryData table 0 1 table 0=4 1=7",
        "BinaryOp minus 2 1 c0 x y 0=1",
        "BinaryOp plus 2 1 y c1 z",
        "Concat joined 2 1 token z w 0=0",
        "MatMul product 2 1 w table out",
    ]
    graph = graph_of(tmp_path, lines)
    assert sum(node.facts.params for node in graph.nodes) == 42 + 7 + 28
    names = [node.op.name for node in graph.nodes]
    assert names.count("parameter") == 1  # read twice
    assert {"concat_learned", "conv"} <= {*names}
    assert graph.nodes[-1].out == (7, 4)


def test_caches_of_attention_are_inputs(tmp_path: Path) -> None:
    lines = [
        input_line("q", (4, 5, 8)),
        "Split copies 1 3 q q0 q1 q2",
        "Input kv_cache 0 2 k v",
        "SDPA attend 5 3 q0 q1 q2 k v out k_out v_out 7=1",
    ]
    (tmp_path / "net.param").write_text("7767517\n4 9\n" + "\n".join(lines))
    path = str(tmp_path / "net.param")
    graph = imported(path, {"kv_cache": (4, 3, 8)}).graph
    shapes = {node.name: node.out for node in graph.nodes}
    assert [shapes[output.node] for output in graph.outputs] == [
        (4, 8, 8), (4, 8, 8), (4, 5, 8)]  # fmt: skip
    graph = imported(path, {"k": (4, 2, 8), "v": (4, 2, 8)}).graph
    assert graph.nodes[-1].out == (4, 5, 8)
    with pytest.raises(ArchscopeError, match="kv_cache"):
        imported(path)
    with pytest.raises(ArchscopeError, match="has no input 'cache'"):
        imported(path, {"cache": (4, 3, 8)})


def test_block_quantized_products(tmp_path: Path) -> None:
    graph = graph_of(tmp_path, layer_lines("Gemm", "3=1 5=1 6=1 8=64 9=32 10=4 18=400", (5, 32)))
    sizes = [node.weight_bytes for node in graph.nodes if node.facts.params]
    assert sizes == [prod((64, 32)) // 2 + 4 * 64]
    assert [node.weight_bits for node in graph.nodes if node.facts.params] == [4]


@pytest.mark.parametrize(
    ("kind", "params", "shapes", "said"),
    [
        ("Reshape", '6="0w,+(1)"', [MAP], "cannot compute"),
        ("Reshape", '6="0w,5,5"', [MAP], "cannot reshape 210 values"),
        ("Gemm", "3=1 5=1 8=6 9=5", [(5, 4)], "needs rows of 5 values, got 4"),
        ("Gemm", "3=1 5=1 8=6 9=4", [MAP], "needs matrices, got 3 axes"),
        ("LayerNorm", "0=6 2=1", [ROWS], "normalises 6 numbers, its input has 7"),
        ("MatMul", "", [ROWS], "needs 2 inputs, got 1"),
        ("Convolution1D", "0=4 1=3", [MAP], "needs 2 axes, got 3"),
        ("Clip", "0=1 1=0", [MAP], "clips from 1 to 0"),
        ("MultiHeadAttention", "0=8 1=3 2=64", [(5, 8)], "8 channels, 3 heads"),
        ("RotaryEmbed", "", [(2, 5, 8)], "needs .heads, positions, width., cosines"),
        ("LSTM", "0=5 1=140", [MAP], "needs rows"),
        ("Interp", "0=2 1=0.01 2=1", [MAP], "resizes to 0x7"),
    ],
)  # fmt: skip
def test_errors(
    kind: str, params: str, shapes: Sequence[Shape], said: str, tmp_path: Path
) -> None:  # fmt: skip
    with pytest.raises(ArchscopeError, match=said):
        graph_of(tmp_path, layer_lines(kind, params, *shapes))
