"""Operators on quantized tensors are read as dequantization, the operator, and quantization."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")

from onnx import TensorProto, helper

from archscope import analyze
from archscope.importers.onnx import from_file
from tests.importers.onnx.models import model, numbers, outputs, saved
from tests.importers.onnx.test_onnx_ops import ints, node, num

IMAGE = (1, 4, 8, 8)
WEIGHTS: dict[str, Any] = {
    "s": num(0.05), "z": numpy.uint8(128), "o": num(0.07), "p": numpy.uint8(120),
    "w": (20 * numbers(6, 4, 3, 3)).astype("int8"), "ws": abs(numbers(6)) / 50 + num(0.01),
    "wz": numpy.zeros(6, "int8"), "b": (90 * numbers(6, seed=3)).astype("int32"),
    "m": (20 * numbers(256, 5)).astype("int8"), "ms": num(0.02), "mz": numpy.int8(3),
    "c": (90 * numbers(5, seed=4)).astype("int32"), "flat": ints(1, 256),
}  # fmt: skip
QUANTIZE, DEQUANTIZE = node("QuantizeLinear", "x s z", "q"), node("DequantizeLinear", "r o p")


def other(kind: str, inputs: str, output: str = "r", **attributes: Any) -> Any:
    """Return an operator of onnxruntime."""
    names = inputs.split(" ")
    return helper.make_node(kind, names, [output], domain="com.microsoft", **attributes)


CONV = node("QLinearConv", "q s z w ws wz o p b", "r", pads=[1] * 4)
CASES: dict[str, tuple[list[Any], str, int]] = {
    "conv": ([QUANTIZE, CONV, DEQUANTIZE], "fake_quantize conv fake_quantize", 222),
    "matmul": ([QUANTIZE, node("Reshape", "q flat", "f"),
                node("QLinearMatMul", "f s z m ms mz o p", "r"), DEQUANTIZE],
               "fake_quantize flatten linear fake_quantize", 1280),
    "gemm": ([QUANTIZE, node("Reshape", "q flat", "f"), other("QGemm", "f s z m ms mz c o p"),
              DEQUANTIZE], "fake_quantize flatten linear fake_quantize", 1285),
    "gemm to floats": ([QUANTIZE, node("Reshape", "q flat", "f"),
                        other("QGemm", "f s z m ms mz c", "y")], "fake_quantize flatten linear",
                       1285),
    "add": ([QUANTIZE, other("QLinearAdd", "q s z q s z o p"), DEQUANTIZE],
            "fake_quantize add fake_quantize", 0),
    "mul": ([QUANTIZE, other("QLinearMul", "q s z q s z o p"), DEQUANTIZE],
            "fake_quantize mul fake_quantize", 0),
    "concat": ([QUANTIZE, other("QLinearConcat", "o p q s z q s z", axis=1), DEQUANTIZE],
               "fake_quantize concat fake_quantize", 0),
    "global average": ([QUANTIZE, other("QLinearGlobalAveragePool", "q s z o p", channels_last=0),
                        DEQUANTIZE], "fake_quantize global_avgpool fake_quantize", 0),
    "average": ([QUANTIZE, other("QLinearAveragePool", "q s z o p", kernel_shape=[2, 2],
                 strides=[2, 2]), DEQUANTIZE], "fake_quantize avgpool fake_quantize", 0),
    "sigmoid": ([QUANTIZE, other("QLinearSigmoid", "q s z o p"), DEQUANTIZE],
                "fake_quantize sigmoid fake_quantize", 0),
    "leaky": ([QUANTIZE, other("QLinearLeakyRelu", "q s z o p", alpha=0.2), DEQUANTIZE],
              "fake_quantize leaky_relu fake_quantize", 0),
    "pool of bytes": ([
        QUANTIZE, node("MaxPool", "q", "k", kernel_shape=[2, 2], strides=[2, 2]),
        other("QLinearAdd", "k s z k s z o p"), DEQUANTIZE],
        "fake_quantize maxpool add fake_quantize", 0),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_quantized_operator_is_built(name: str, tmp_path: Path) -> None:
    """It gives what onnxruntime gives, but for one step of the last scale."""
    nodes, words, params = CASES[name]
    made = model(nodes, IMAGE, WEIGHTS, domains=("com.microsoft",))
    path = saved(made, tmp_path)
    found = from_file(path)
    assert sorted(one.op.name for one in found.graph.nodes[1:]) == sorted(words.split())
    assert analyze(found.graph).totals.params == params
    ours, theirs = outputs(found, path)
    steps = 1e-4 if name == "gemm to floats" else 0.0701
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-3, atol=steps)


def test_bytes_are_those_of_the_file(tmp_path: Path) -> None:
    nodes = [QUANTIZE, CONV, DEQUANTIZE]
    totals = analyze(from_file(saved(model(nodes, IMAGE, WEIGHTS), tmp_path)).graph).totals
    assert totals.weight_bytes == 216 + 4 * 6


DYNAMIC: dict[str, tuple[list[Any], int, int]] = {
    "integer convolution": ([
        node("DynamicQuantizeLinear", "x", "q a z"), node("ConvInteger", "q w z", "r"),
        node("Cast", "r", "y", to=TensorProto.FLOAT)], 216, 216 * 36),
    "integer product": ([
        node("Flatten", "x", "f"), node("DynamicQuantizeLinear", "f", "q a z"),
        node("MatMulInteger", "q m z", "r"), node("Cast", "r", "y", to=TensorProto.FLOAT)],
        1280, 1280),
    "dynamic product": ([
        node("Flatten", "x", "f"), other("DynamicQuantizeMatMul", "f m ms mz", "y")], 1280, 1280),
}  # fmt: skip


@pytest.mark.parametrize("name", DYNAMIC)
def test_scales_that_are_computed_of_the_input(name: str, tmp_path: Path) -> None:
    nodes, params, macs = DYNAMIC[name]
    made = model(nodes, IMAGE, WEIGHTS, domains=("com.microsoft",))
    result = analyze(from_file(saved(made, tmp_path)).graph)
    assert (result.totals.params, result.totals.macs) == (params, macs)
    assert "macs" not in {fact for kind in result.unknown for fact in kind.facts}
