"""Layers of Keras against torch, and their params against those of Keras 3.15."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional as fn

from archscope.build import build
from archscope.errors import ArchscopeError
from archscope.ir import Graph, Shape
from tests.importers.keras.test_keras import layer, load

MAP, ROWS = (6, 7, 4), (5, 4)  # the channels last, as in files


def graph_of(where: Path, kind: str, config: dict[str, Any], *shapes: Sequence[int]) -> Graph:
    names = [f"x{place}" for place in range(len(shapes))]
    inputs = [layer("InputLayer", name, batch_shape=[None, *shape])
              for name, shape in zip(names, shapes, strict=True)]  # fmt: skip
    content = {
        "layers": [*inputs, layer(kind, "y", *names, **config)],
        "input_layers": [[name, 0, 0] for name in names],
        "output_layers": [["y", 0, 0]],
    }
    return load(where, {"class_name": "Functional", "keras_version": "3.5.0", "config": content})


def first(x: Tensor) -> Tensor:
    """Return the values of a file with the channels first."""
    return x.movedim(-1, 0)


def run(graph: Graph, *inputs: Tensor) -> Tensor:
    module = build(graph).eval()
    with torch.no_grad():
        made: Tensor = module(*(first(x)[None] for x in inputs))[0]
    return made.movedim(0, -1)


def pooled_same(x: Tensor) -> Tensor:
    sums, counts = (
        fn.avg_pool2d(fn.pad(first(t), (1, 1, 0, 1)), 3, 2) for t in (x, torch.ones_like(x))
    )
    return (sums / counts).movedim(0, -1)


ONE: list[tuple[str, dict[str, Any], Shape, Callable[[Tensor], Tensor]]] = [
    ("Activation", {"activation": "selu"}, MAP, fn.selu),
    ("Activation", {"activation": "mish"}, MAP, fn.mish),
    ("Activation", {"activation": "exponential"}, MAP, torch.exp),
    ("Activation", {"activation": "log_softmax"}, MAP, lambda x: x.log_softmax(-1)),
    ("Activation", {"activation": "log_sigmoid"}, MAP, fn.logsigmoid),
    ("Activation", {"activation": "hard_tanh"}, MAP, fn.hardtanh),
    ("ELU", {"alpha": 0.3}, MAP, lambda x: fn.elu(x, 0.3)),
    ("ReLU", {"max_value": 0.5, "negative_slope": 0.1}, MAP,
     lambda x: fn.leaky_relu(x, 0.1).clamp(max=0.5)),
    ("Softmax", {"axis": 1}, MAP, lambda x: x.softmax(0)),
    ("Permute", {"dims": [3, 1, 2]}, MAP, lambda x: x.permute(2, 0, 1)),
    ("Reshape", {"target_shape": [4, -1]}, MAP, lambda x: x.reshape(4, 42)),
    ("Reshape", {"target_shape": [7, 6, 4]}, MAP, lambda x: x.reshape(7, 6, 4)),
    ("Reshape", {"target_shape": [2, 3]}, (6,), lambda x: x.reshape(2, 3)),
    ("Flatten", {}, MAP, torch.flatten),
    ("RepeatVector", {"n": 3}, (6,), lambda x: x.expand(3, 6)),
    ("ZeroPadding2D", {"padding": [[1, 2], [0, 3]]}, MAP,
     lambda x: fn.pad(x, (0, 0, 0, 3, 1, 2))),
    ("Cropping2D", {"cropping": [[1, 2], [0, 3]]}, MAP, lambda x: x[1:-2, :-3]),
    ("Cropping1D", {"cropping": [1, 2]}, ROWS, lambda x: x[1:-2]),
    ("CenterCrop", {"height": 3, "width": 4}, MAP, lambda x: x[1:4, 1:5]),
    ("Resizing", {"height": 9, "width": 5}, MAP,
     lambda x: fn.interpolate(first(x)[None], (9, 5), mode="bilinear")[0].movedim(0, -1)),
    ("Rescaling", {"scale": 2.0, "offset": -1.0}, MAP, lambda x: 2 * x - 1),
    ("UnitNormalization", {"axis": 1}, MAP, lambda x: fn.normalize(x, dim=0)),
    ("AveragePooling2D", {"pool_size": 3, "strides": 2, "padding": "same"}, MAP, pooled_same),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "config", "shape", "wanted"), ONE)
def test_layer_of_one_value(
    kind: str, config: dict[str, Any], shape: Shape, wanted: Callable[[Tensor], Tensor],
    tmp_path: Path,
) -> None:  # fmt: skip
    graph = graph_of(tmp_path, kind, config, shape)
    assert not any(node.op.unknown for node in graph.nodes)
    x = torch.randn(shape)
    made = run(graph, x)
    assert made.shape == wanted(x).shape
    assert torch.allclose(made, wanted(x), atol=1e-5)


def attention(q: Tensor, v: Tensor, k: Tensor) -> Tensor:
    return (q @ k.T).softmax(-1) @ v


SEVERAL: list[tuple[str, dict[str, Any], Sequence[Shape], Callable[..., Tensor]]] = [
    ("Subtract", {}, [MAP, MAP], lambda x, y: x - y),
    ("Multiply", {}, [MAP, (4,)], lambda x, y: x * y),
    ("Maximum", {}, [MAP, MAP, MAP], lambda x, y, z: x.maximum(y).maximum(z)),
    ("Dot", {"axes": [2, 1]}, [ROWS, (4, 3)], lambda x, y: x @ y),
    ("Dot", {"axes": [1, 1]}, [ROWS, (5,)], lambda x, y: x.T @ y),
    ("Dot", {"axes": 1, "normalize": True}, [(6,), (6,)],
     lambda x, y: fn.cosine_similarity(x, y, dim=0)[None]),
    ("Attention", {}, [ROWS, (3, 6), (3, 4)], attention),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "config", "shapes", "wanted"), SEVERAL)
def test_layer_of_several_values(
    kind: str, config: dict[str, Any], shapes: Sequence[Shape], wanted: Callable[..., Tensor],
    tmp_path: Path,
) -> None:  # fmt: skip
    graph = graph_of(tmp_path, kind, config, *shapes)
    inputs = [torch.randn(shape) for shape in shapes]
    made = run(graph, *inputs)
    assert made.shape == wanted(*inputs).shape
    assert torch.allclose(made, wanted(*inputs), atol=1e-5)


def recurrent(kind: str, **config: Any) -> dict[str, Any]:
    return {"layer": {"class_name": kind, "config": {"units": 3, **config}}}


WEIGHTS: list[tuple[str, dict[str, Any], Sequence[Shape], Shape, int]] = [
    ("PReLU", {"shared_axes": [1]}, [MAP], MAP, 28),
    ("BatchNormalization", {"scale": False}, [MAP], MAP, 4),
    ("LayerNormalization", {"scale": False}, [MAP], MAP, 4),
    ("LayerNormalization", {"center": False}, [MAP], MAP, 4),
    ("GroupNormalization", {"groups": -1, "center": False}, [MAP], MAP, 4),
    ("RMSNormalization", {}, [MAP], MAP, 4),
    ("Normalization", {"axis": [-1]}, [MAP], MAP, 0),
    ("LSTM", {"units": 3}, [ROWS], (3,), 96),
    ("LSTM", {"units": 3, "go_backwards": True, "return_sequences": True}, [ROWS], (5, 3), 96),
    ("GRU", {"units": 3}, [ROWS], (3,), 81),
    ("SimpleRNN", {"units": 3, "activation": "relu", "use_bias": False}, [ROWS], (3,), 21),
    ("Bidirectional", recurrent("LSTM", return_sequences=True), [ROWS], (5, 6), 192),
    ("Bidirectional", recurrent("GRU") | {"merge_mode": "ave"}, [ROWS], (3,), 162),
    ("TimeDistributed", {"layer": {"class_name": "Dense", "config": {"units": 3}}}, [ROWS],
     (5, 3), 15),
    ("Embedding", {"input_dim": 10, "output_dim": 3}, [(5,)], (5, 3), 30),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3}, [ROWS, ROWS], (5, 4), 118),
    ("MultiHeadAttention", {"num_heads": 2, "key_dim": 3, "value_dim": 5, "output_shape": 7,
                            "use_bias": False}, [ROWS, (3, 6)], (5, 7), 24 + 36 + 60 + 70),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "config", "shapes", "out", "count"), WEIGHTS)
def test_layer_with_weights(
    kind: str, config: dict[str, Any], shapes: Sequence[Shape], out: Shape, count: int,
    tmp_path: Path,
) -> None:  # fmt: skip
    graph = graph_of(tmp_path, kind, config, *shapes)
    assert not any(node.op.unknown for node in graph.nodes)
    held = sum(n.facts.params if n.new_params is None else n.new_params for n in graph.nodes)
    assert held == count
    assert run(graph, *(torch.zeros(shape) for shape in shapes)).shape == out


@pytest.mark.parametrize(
    ("kind", "config", "shapes", "said"),
    [
        ("CenterCrop", {"height": 9, "width": 4}, [MAP], "larger than its input"),
        ("Permute", {"dims": [1, 1, 2]}, [MAP], "needs each of 3 axes once"),
        ("Dot", {"axes": 0}, [ROWS, ROWS], "has the axis 0 of 3 axes"),
        ("Bidirectional", {"layer": {"class_name": "Dense", "config": {}}}, [ROWS], "around 'D"),
        ("Resizing", {"height": 2, "width": 2, "interpolation": "area"}, [MAP], "resizes by 'area"),
    ],
)
def test_errors(
    kind: str, config: dict[str, Any], shapes: Sequence[Shape], said: str, tmp_path: Path
) -> None:
    with pytest.raises(ArchscopeError, match=said):
        graph_of(tmp_path, kind, config, *shapes)


@pytest.mark.parametrize(
    ("config", "size"),
    [
        ({"padding": "same"}, 14),
        ({"padding": "valid"}, 15),
        ({"padding": "same", "output_padding": 0}, 13),
        ({"padding": "same", "output_padding": [1, 1]}, 14),
        ({"padding": "valid", "output_padding": [1, 1]}, 16),
        ({"padding": "same", "dilation_rate": [2, 2]}, 14),
        ({"padding": "valid", "dilation_rate": [2, 2]}, 17),
        ({"padding": "valid", "kernel_size": [1, 1]}, 14),
        ({"padding": "same", "kernel_size": [2, 2], "output_padding": [1, 1]}, 13),
    ],
)
def test_sizes_of_transposed_convolutions(
    config: dict[str, Any], size: int, tmp_path: Path
) -> None:
    """The sizes that the documentation of Keras states, for 7 positions and a stride of 2."""
    given = {"filters": 2, "kernel_size": [3, 3], "strides": [2, 2], **config}
    graph = graph_of(tmp_path, "Conv2DTranspose", given, (7, 7, 4))
    assert graph.nodes[-1].out == (2, size, size)
