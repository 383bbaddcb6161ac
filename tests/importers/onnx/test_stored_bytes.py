"""Bytes of weights use the types in the file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")

from onnx import TensorProto, helper

from archscope import analyze, load
from archscope.analysis.result import Analysis
from archscope.importers.onnx import from_file
from tests.importers.onnx.models import model, numbers, saved
from tests.importers.onnx.test_onnx_ops import node, num

IMAGE = (1, 4, 8, 8)
W = (50 * numbers(6, 4, 3, 3)).astype("int8")
B = (50 * numbers(6)).astype("int32")
QDQ = [
    node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "q s z", "d"),
    node("DequantizeLinear", "w s", "v"), node("DequantizeLinear", "b s", "c"),
    node("Conv", "d v c"),
]  # fmt: skip
WEIGHTS = {"w": W, "b": B, "s": num(0.02), "z": numpy.uint8(3)}


def typed(made: Any, kind: int) -> Any:
    made.graph.input[0].type.tensor_type.elem_type = kind
    made.graph.output[0].type.tensor_type.elem_type = kind
    return made


def bits_of(result: Analysis) -> list[tuple[int, int, int]]:
    return [(row.weights, row.inputs, row.macs) for row in result.macs_by_bits]


def test_weights_of_8_bits(tmp_path: Path) -> None:
    graph = from_file(saved(model(QDQ, IMAGE, WEIGHTS), tmp_path)).graph
    result = analyze(graph)
    assert result.totals.params == 222
    assert result.totals.weight_bytes == 216 + 4 * 6
    assert result.totals.weight_bytes == sum(layer.weight_bytes for layer in result.layers)
    assert result.dtype == "float32"
    assert bits_of(result) == [(8, 8, 216 * 36)]
    assert bits_of(analyze(graph, dtype="float16")) == [(16, 8, 216 * 36)]
    conv = result.layers[-1]
    assert conv.memory_access_bytes == 4 * (256 + 216) + 240
    assert analyze(graph, dtype="float32").totals.weight_bytes == 4 * 222
    assert analyze(graph, dtype="int8").totals.weight_bytes == 240


def test_weights_of_4_bits(tmp_path: Path) -> None:
    """Two of them take a byte."""
    made = model([node("DequantizeLinear", "w s", "v"), node("Conv", "x v")], IMAGE,
                 {"s": num(0.1)}, opset=21)  # fmt: skip
    packed = helper.make_tensor("w", TensorProto.INT4, (6, 4, 1, 1), [1] * 24)
    made.graph.initializer.append(packed)
    result = analyze(from_file(saved(made, tmp_path)).graph)
    assert (result.totals.params, result.totals.weight_bytes) == (24, 12)
    assert bits_of(result) == [(4, 32, 24 * 64)]


@pytest.mark.parametrize(
    ("name", "kind", "size"),
    [("float16", TensorProto.FLOAT16, 2), ("float64", TensorProto.DOUBLE, 8)],
)
def test_networks_of_other_types(name: str, kind: int, size: int, tmp_path: Path) -> None:
    nodes = [node("Conv", "x w", "c"), node("Relu", "c")]
    made = typed(model(nodes, IMAGE, {"w": numbers(6, 4, 3, 3).astype(name)}), kind)
    result = analyze(load(str(saved(made, tmp_path))))
    assert result.dtype == name
    assert result.totals.weight_bytes == 216 * size
    assert result.totals.activation_bytes == (256 + 216) * size


def test_shared_weights_are_stored_once(tmp_path: Path) -> None:
    nodes = [*QDQ[:-1], node("Conv", "d v c", "e"), node("Conv", "d v c", "f", strides=[2, 2])]
    made = model(nodes, IMAGE, WEIGHTS, outputs=("e", "f"))
    result = analyze(from_file(saved(made, tmp_path)).graph)
    assert result.totals.weight_bytes == 240
    assert result.layers[-1].weight_bytes == 0
    assert bits_of(result) == [(8, 8, 216 * (36 + 9))]
    assert result.layers[-1].memory_access_bytes == 4 * (256 + 6 * 9) + 240
