"""Params of a file are its distinct learned initializers, each once, in whatever form."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")

import onnx
from onnx import numpy_helper

from archscope import analyze, language
from archscope.folding.fold import readable
from archscope.importers.onnx import from_file
from archscope.ir import Graph
from tests.importers.onnx.models import model, numbers, outputs, saved
from tests.importers.onnx.test_onnx_ops import ints, node, num

IMAGE = (1, 4, 8, 8)
W, B = numbers(4, 4, 3, 3), numbers(4, seed=1)
SAME = {"pads": [1] * 4}


def imported(nodes: list[Any], weights: dict[str, Any], folder: Path, **words: Any) -> Graph:
    """Return the graph of a model, whose folded and flat specs have its params, too."""
    graph = from_file(saved(model(nodes, IMAGE, weights, **words), folder)).graph
    again = language.graph(language.document("net", text=readable(graph).text.encode()))
    assert analyze(again).totals.params == analyze(graph).totals.params
    return graph


TIED: dict[str, tuple[list[Any], dict[str, Any], int]] = {
    "two sizes": ([node("MaxPool", "x", "p", kernel_shape=[2, 2], strides=[2, 2]),
                   node("Conv", "p w b", "q", **SAME), node("Conv", "x w b", "y", **SAME),
                   node("GlobalAveragePool", "q", "r"), node("Add", "y r", "z")],
                  {"w": W, "b": B}, 148),
    "stride": ([node("Conv", "x w b", "a", **SAME), node("Conv", "a w b", "z", strides=[2, 2])],
               {"w": W, "b": B}, 148),
    "dilation": ([node("Conv", "x w", "a", **SAME),
                  node("Conv", "a w", "z", dilations=[2, 2], pads=[2] * 4)], {"w": W}, 144),
    "uneven padding": ([node("Conv", "x w", "a", **SAME), node("Conv", "a w", "z",
                        pads=[0, 1, 2, 1])], {"w": W}, 144),
    "transposed convolution": ([node("Conv", "x w", "a", **SAME),
                                node("ConvTranspose", "a w", "z", **SAME)], {"w": W}, 144),
    "bias of one alone": ([node("Conv", "x w b", "a", **SAME), node("Conv", "a w", "z")],
                          {"w": W, "b": B}, 148),
    "other bias": ([node("Conv", "x w b", "a", **SAME), node("Conv", "a w c", "z")],
                   {"w": W, "b": B, "c": numbers(4, seed=2)}, 152),
    "reshaped twice": ([node("Reshape", "v s", "w"), node("Reshape", "v s", "u"),
                        node("Conv", "x w", "a"), node("Conv", "a u", "z")],
                       {"v": W.reshape(-1), "s": ints(4, 4, 3, 3)}, 144),
    "through identity": ([node("Identity", "w", "u"), node("Conv", "x w", "a"),
                          node("Conv", "a u", "z")], {"w": W}, 144),
    "through a constant": ([node("Constant", "", "w", value=numpy_helper.from_array(W)),
                            node("Identity", "w", "u"), node("Conv", "x w", "a"),
                            node("Conv", "a u", "z")], {}, 144),
    "a matrix and its transpose": ([
        node("Flatten", "x", "f"), node("Gemm", "f m", "h"), node("Gemm", "h m", "z", transB=1)],
        {"m": numbers(256, 6)}, 1536),
    "slices of one tensor": ([
        node("Slice", "w o t", "u"), node("Slice", "w t e", "v"), node("Conv", "x u", "a"),
        node("Conv", "x v", "c"), node("Concat", "a c", "z", axis=1)],
        {"w": W, "o": ints(0), "t": ints(2), "e": ints(4)}, 144),
    "cast": ([node("Cast", "w", "u", to=1), node("Conv", "x u", "a"),
              node("Cast", "w", "v", to=1), node("Conv", "a v", "z")],
             {"w": W.astype("float16")}, 144),
    "unpacked from bytes": ([
        node("DequantizeLinear", "w s", "u"), node("Conv", "x u", "a"),
        node("DequantizeLinear", "w s", "v"), node("Conv", "a v", "z")],
        {"w": (W * 50).astype("int8"), "s": num(0.02)}, 144),
    "table and matrix": ([
        node("GlobalAveragePool", "x", "g"), node("Flatten", "g", "f"),
        node("ArgMax", "f", "i", axis=1, keepdims=0), node("Gather", "e i", "h"),
        node("Gemm", "h e", "z", transB=1)], {"e": numbers(7, 5)}, 35),
    "recurrent, twice": ([
        node("Reshape", "x s", "q"), node("LSTM", "q w r", "h", hidden_size=4),
        node("Squeeze", "h o", "p"), node("LSTM", "p w r", "z", hidden_size=4)],
        {"s": ints(64, 1, 4), "w": numbers(1, 16, 4), "r": numbers(1, 16, 4), "o": ints(1)}, 128),
    "gain": ([node("Mul", "x gain", "a"), node("Relu", "a", "b"), node("Mul", "b gain", "z")],
             {"gain": num(0.5)}, 1),
    "factors": ([node("Mul", "x f", "a"), node("Relu", "a", "b"), node("Mul", "b f", "z")],
                {"f": numbers(1, 4, 1, 1)}, 4),
}  # fmt: skip


@pytest.mark.parametrize("name", TIED)
def test_weights_count_once(name: str, tmp_path: Path) -> None:
    nodes, weights, params = TIED[name]
    graph = imported(nodes, weights, tmp_path, outputs=("z",), opset=18)
    assert analyze(graph).totals.params == params


@pytest.mark.parametrize("name", ["stride", "transposed convolution", "uneven padding"])
def test_shared_weights_are_built_once(name: str, tmp_path: Path) -> None:
    nodes, weights, params = TIED[name]
    path = saved(model(nodes, IMAGE, weights, outputs=("z",)), tmp_path)
    found = from_file(path)
    assert [bool(one.shares) for one in found.graph.nodes] == [False, False, True]
    ours, theirs = outputs(found, path)
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)
    assert sum(value.size for value in found.weights().values()) == params


UNLEARNED: dict[str, tuple[list[Any], dict[str, Any], int]] = {
    "sizes of a resize": ([node("Resize", "x roi s", mode="cubic")],
                          {"roi": num([]), "s": num([1, 1, 2, 2])}, 0),
    "one-hot": ([node("ArgMax", "x", "a", axis=1, keepdims=0), node("OneHot", "a d v", axis=1)],
                {"d": ints(4), "v": num([0, 1])}, 0),
    "limits": ([node("Max", "x l")], {"l": numbers(4, 1, 1)}, 0),
    "comparison": ([node("Greater", "x l", "a"), node("Cast", "a", "y", to=1)],
                   {"l": numbers(4, 1, 1)}, 0),
    "border": ([node("Pad", "x p v")], {"p": ints(0, 0, 1, 1, 0, 0, 1, 1), "v": num(2)}, 0),
    "grid": ([node("GridSample", "x g")], {"g": numbers(1, 5, 5, 2)}, 0),
    "states of 0": ([node("Reshape", "x s", "q"), node("GRU", "q w r   h", "y", hidden_size=4)],
                    {"s": ints(64, 1, 4), "w": numbers(1, 12, 4), "r": numbers(1, 12, 4),
                     "h": 0 * numbers(1, 1, 4)}, 96),
    "learned states": ([node("Reshape", "x s", "q"),
                        node("GRU", "q w r   h", "y", hidden_size=4)],
                       {"s": ints(64, 1, 4), "w": numbers(1, 12, 4), "r": numbers(1, 12, 4),
                        "h": numbers(1, 1, 4)}, 100),
    "scales and zeros": ([node("QuantizeLinear", "x s z", "q", axis=1),
                          node("DequantizeLinear", "q s z", axis=1)],
                         {"s": abs(numbers(4)), "z": numpy.zeros(4, "int8")}, 0),
    "norm that learned nothing": ([
        node("Constant", "", "s", value_floats=[1.0] * 4),
        node("Constant", "", "b", value_floats=[0.0] * 4),
        node("InstanceNormalization", "x s b")], {}, 0),
    "statistics": ([node("Transpose", "x", "t", perm=[0, 2, 1, 3]),
                    node("BatchNormalization", "t s b m v")],
                   {"s": numbers(8), "b": numbers(8), "m": numbers(8), "v": abs(numbers(8))}, 16),
}  # fmt: skip


@pytest.mark.parametrize("name", UNLEARNED)
def test_what_was_not_learned_is_no_param(name: str, tmp_path: Path) -> None:
    nodes, weights, params = UNLEARNED[name]
    made = model(nodes, IMAGE, weights, opset=18)
    assert analyze(from_file(saved(made, tmp_path)).graph).totals.params == params


HEADS = b"""
input: [4, 16, 16]
layers:
  - conv: {out: 4, kernel: 3, padding: 1}
    name: a
  - maxpool: 2
    name: b
  - maxpool: 2
    name: c
  - conv: {out: 6, kernel: 3, padding: 1}
    share: head
    from: a
    output: p3
  - conv: {out: 6, kernel: 3, padding: 1}
    share: head
    from: b
    output: p4
  - conv: {out: 6, kernel: 3, padding: 2, dilation: 2}
    share: head
    from: c
    output: p5
"""


def test_shared_head_comes_back_from_our_own_export(tmp_path: Path) -> None:
    pytest.importorskip("onnxscript", reason="torch writes ONNX with it")
    from archscope.exporters.export import export_network

    graph = language.graph(language.document("net", text=HEADS))
    path = tmp_path / "net.onnx"
    path.write_bytes(export_network(graph, "onnx").content)
    found = from_file(path).graph
    assert analyze(found).totals.params == analyze(graph).totals.params == 148 + 222
    assert len(onnx.load(str(path)).graph.initializer) >= 4
    assert sum(bool(one.shares) for one in found.nodes) == 2
