"""Recognised ONNX operators compute the same as onnxruntime; the others are opaque."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")


from onnx import helper, numpy_helper

from archscope.importers.onnx import from_file
from tests.importers.onnx.models import model, numbers, outputs, saved

IMAGE = (1, 4, 8, 8)
ints = lambda *v: numpy.array(v, dtype=numpy.int64)  # noqa: E731
num = lambda v: numpy.array(v, dtype=numpy.float32)  # noqa: E731


def node(kind: str, inputs: str, output: str = "y", **attributes: Any) -> Any:
    return helper.make_node(
        kind, inputs.split(" ") if inputs else [], output.split(" "), **attributes
    )


W = numbers(6, 4, 3, 3)
UP = {"scales": num([1, 1, 2, 2])}
CASES: dict[str, tuple[str, list[Any], dict[str, Any], int]] = {
    "conv": ("conv", [node("Conv", "x w b", pads=[1] * 4)], {"w": W, "b": numbers(6)}, 17),
    "conv uneven": ("conv", [node("Conv", "x w", pads=[0, 1, 2, 1], strides=[2, 1])], {"w": W}, 17),
    "conv same": ("conv", [node("Conv", "x w", auto_pad="SAME_UPPER", strides=[2, 2])],
                  {"w": W}, 17),
    "conv same, lower": ("conv", [node("Conv", "x w", auto_pad="SAME_LOWER", strides=[2, 1])],
                         {"w": numbers(6, 4, 3, 4)}, 17),
    "maxpool same, lower": ("maxpool", [node("MaxPool", "x", kernel_shape=[2, 3],
                            strides=[1, 2], auto_pad="SAME_LOWER")], {}, 17),
    "avgpool same, lower": ("avgpool", [node("AveragePool", "x", kernel_shape=[3, 3],
                            strides=[2, 2], auto_pad="SAME_LOWER")], {}, 17),
    "conv groups": ("conv", [node("Conv", "x w", group=2, dilations=[2, 2])],
                    {"w": numbers(6, 2, 3, 3)}, 17),
    "pad conv": ("conv", [node("Pad", "x p", "a"), node("Conv", "a w")],
                 {"w": W, "p": ints(0, 0, 1, 0, 0, 0, 1, 2)}, 17),
    "transposed": ("conv_transpose", [node("ConvTranspose", "x w b", strides=[2, 2],
                   pads=[1] * 4, output_padding=[1, 1], group=2)],
                   {"w": numbers(4, 3, 3, 3), "b": numbers(6)}, 17),
    "transposed unevenly": ("conv_transpose slice slice", [node("ConvTranspose", "x w",
                            strides=[2, 1], pads=[0, 2, 1, 0])], {"w": numbers(4, 6, 3, 3)}, 17),
    "transposed to less": ("conv_transpose slice", [node("ConvTranspose", "x w b",
                           strides=[1, 3], pads=[1, 0, 1, 1])],
                           {"w": numbers(4, 6, 3, 3), "b": numbers(6)}, 17),
    "transposed and extended": ("conv_transpose", [node("ConvTranspose", "x w",
                                strides=[3, 2], pads=[1, 1, 0, 0], output_padding=[1, 0])],
                                {"w": numbers(4, 6, 3, 3)}, 17),
    "transposed to a size": ("conv_transpose", [node("ConvTranspose", "x w", strides=[2, 2],
                             output_shape=[16, 17])], {"w": numbers(4, 6, 3, 3)}, 17),
    "transposed same": ("conv_transpose slice slice", [node("ConvTranspose", "x w",
                        strides=[2, 2], auto_pad="SAME_UPPER")], {"w": numbers(4, 6, 3, 3)}, 17),
    "transposed same, lower": ("conv_transpose", [node("ConvTranspose", "x w", strides=[2, 2],
                               auto_pad="SAME_LOWER")], {"w": numbers(4, 6, 3, 3)}, 17),
    "transposed valid": ("conv_transpose", [node("ConvTranspose", "x w", strides=[2, 2],
                         auto_pad="VALID")], {"w": numbers(4, 6, 3, 3)}, 17),
    "batchnorm": ("batchnorm", [node("BatchNormalization", "x s b m v", epsilon=1e-3)],
                  {"s": numbers(4), "b": numbers(4), "m": numbers(4), "v": abs(numbers(4))}, 17),
    "batchnorm of opset 11": ("batchnorm", [node("BatchNormalization", "x s b m v")],
                  {"s": numbers(4), "b": numbers(4), "m": numbers(4), "v": abs(numbers(4))}, 11),
    "clip and dropout of opset 11": ("dropout relu6", [node("Dropout", "x", "d", ratio=0.5),
                                     node("Clip", "d l h")], {"l": num(0), "h": num(6)}, 11),
    "axes of opset 11": ("global_avgpool flatten linear", [
        node("ReduceMean", "x", "m", axes=[2, 3]), node("Squeeze", "m", "q", axes=[2, 3]),
        node("Constant", "", "c", value=numpy_helper.from_array(ints(4))),
        node("Unsqueeze", "c", "e", axes=[0]), node("Squeeze", "e", "u", axes=[0]),
        node("Reshape", "w u2", "v"), node("MatMul", "q v")],
        {"w": numbers(20), "u2": ints(4, 5)}, 11),
    "instance norm": ("groupnorm", [node("InstanceNormalization", "x s b")],
                      {"s": numbers(4), "b": numbers(4)}, 17),
    "group norm": ("groupnorm", [node("GroupNormalization", "x s b", num_groups=2)],
                   {"s": numbers(4), "b": numbers(4)}, 21),
    "lrn": ("lrn", [node("LRN", "x", size=3, alpha=0.5, bias=2.0)], {}, 17),
    "relu": ("relu", [node("Relu", "x")], {}, 17),
    "leaky": ("leaky_relu", [node("LeakyRelu", "x", alpha=0.2)], {}, 17),
    "prelu": ("prelu", [node("PRelu", "x s")], {"s": numbers(4, 1, 1)}, 17),
    "prelu of one": ("prelu", [node("PRelu", "x s")], {"s": numbers(1, 1, 1)}, 17),
    "elu": ("elu", [node("Elu", "x")], {}, 17),
    "sigmoid": ("sigmoid", [node("Sigmoid", "x")], {}, 17),
    "tanh": ("tanh", [node("Tanh", "x")], {}, 17),
    "softplus": ("softplus", [node("Softplus", "x")], {}, 17),
    "softsign": ("softsign", [node("Softsign", "x")], {}, 17),
    "softmax": ("softmax", [node("Softmax", "x", axis=1)], {}, 17),
    "hard sigmoid": ("hardsigmoid", [node("HardSigmoid", "x", alpha=1 / 6)], {}, 17),
    "hard swish": ("hardswish", [node("HardSwish", "x")], {}, 17),
    "gelu": ("gelu", [node("Gelu", "x")], {}, 20),
    "relu6": ("relu6", [node("Clip", "x l h")], {"l": num(0), "h": num(6)}, 17),
    "swish": ("silu", [node("Sigmoid", "x", "g"), node("Mul", "x g")], {}, 17),
    "hard swish written out": ("hardswish", [node("Add", "x c", "a"), node("Clip", "a l h", "b"),
                     node("Mul", "x b", "d"), node("Div", "d h")],
                     {"c": num(3), "l": num(0), "h": num(6)}, 17),
    "hard sigmoid written out": ("hardsigmoid", [node("Add", "x c", "a"),
                     node("Clip", "a l h", "b"), node("Div", "b h")],
                     {"c": num(3), "l": num(0), "h": num(6)}, 17),
    "gelu written out": ("gelu", [node("Div", "x r", "a"), node("Erf", "a", "e"),
                     node("Add", "e o", "p"), node("Mul", "x p", "m"), node("Mul", "m h")],
                     {"r": num(2**0.5), "o": num(1), "h": num(0.5)}, 17),
    "maxpool": ("maxpool", [node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2],
                pads=[1] * 4)], {}, 17),
    "maxpool ceil": ("maxpool", [node("MaxPool", "x", kernel_shape=[3, 3], strides=[2, 2],
                     ceil_mode=1)], {}, 17),
    "avgpool": ("avgpool", [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1] * 4)], {}, 17),
    "avgpool counted": ("avgpool", [node("AveragePool", "x", kernel_shape=[3, 3], pads=[1] * 4,
                        count_include_pad=1)], {}, 17),
    "avgpool uneven": ("avgpool", [node("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2],
                       pads=[0, 0, 1, 1])], {}, 17),
    "avgpool uneven, counted": ("avgpool", [node("AveragePool", "x", kernel_shape=[3, 3],
                                pads=[1, 0, 0, 1], count_include_pad=1)], {}, 17),
    "avgpool same": ("avgpool", [node("AveragePool", "x", kernel_shape=[3, 3], strides=[2, 2],
                     auto_pad="SAME_UPPER")], {}, 17),
    "pad avgpool": ("avgpool", [node("Pad", "x p", "a"), node("AveragePool", "a",
                    kernel_shape=[3, 3])], {"p": ints(0, 0, 1, 1, 0, 0, 1, 1)}, 17),
    "lp pool": ("lp_pool", [node("LpPool", "x", kernel_shape=[2, 2], strides=[2, 2])], {}, 17),
    "global": ("global_avgpool", [node("GlobalAveragePool", "x")], {}, 17),
    "mean": ("global_avgpool flatten", [node("ReduceMean", "x", axes=[-1, -2], keepdims=0)],
             {}, 17),
    "mean 18": ("global_avgpool", [node("ReduceMean", "x a")], {"a": ints(2, 3)}, 18),
    "add": ("relu add", [node("Relu", "x", "a"), node("Add", "a x")], {}, 17),
    "times": ("mul_scalar", [node("Mul", "x f")], {"f": num(0.5)}, 17),
    "divided": ("mul_scalar", [node("Div", "x f")], {"f": num([[8.0]])}, 17),
    "scale": ("scale", [node("Mul", "f x")], {"f": numbers(1, 4, 1, 1)}, 17),
    "scale and shift": ("scale", [node("Mul", "x f", "a"), node("Add", "a s")],
                        {"f": numbers(4, 1, 1), "s": numbers(4, 1, 1)}, 17),
    "gate": ("global_avgpool mul", [node("GlobalAveragePool", "x", "a"), node("Mul", "x a")],
             {}, 17),
    "concat": ("relu concat", [node("Relu", "x", "a"), node("Concat", "x a", axis=1)], {}, 17),
    "split": ("slice slice concat", [node("Split", "x s", "a b", axis=1),
              node("Concat", "b a", axis=1)], {"s": ints(1, 3)}, 17),
    "slice": ("slice", [node("Slice", "x b e a")], {"b": ints(-3), "e": ints(9), "a": ints(1)}, 17),
    "shuffle": ("channel_shuffle", [node("Reshape", "x s", "a"), node("Transpose", "a", "t",
                perm=[0, 2, 1, 3, 4]), node("Reshape", "t r")],
                {"s": ints(1, 2, 2, 8, 8), "r": ints(1, -1, 8, 8)}, 17),
    "flatten, gemm": ("flatten linear", [node("Flatten", "x", "a"), node("Gemm", "a w b",
                      transB=1)], {"w": numbers(5, 256), "b": numbers(5)}, 17),
    "gemm turned": ("flatten linear", [node("Flatten", "x", "a"), node("Gemm", "a w b")],
                    {"w": numbers(256, 5), "b": numbers(1, 5)}, 17),
    "matmul and bias": ("flatten linear", [node("Flatten", "x", "a"), node("MatMul", "a w", "m"),
                        node("Add", "b m")], {"w": numbers(256, 5), "b": numbers(5)}, 17),
    "gemm with factors": ("flatten linear", [node("Flatten", "x", "a"), node("Gemm", "a w b",
                          alpha=0.5, beta=2.0)], {"w": numbers(256, 5), "b": numbers(1)}, 17),
    "gemm without bias": ("flatten linear", [node("Flatten", "x", "a"), node("Gemm", "a w b",
                          beta=0.0, transB=1)], {"w": numbers(5, 256), "b": numbers(5)}, 17),
    "matmul from the left": ("permute conv permute", [node("MatMul", "w x")],
                             {"w": numbers(5, 8)}, 17),
    "einsum of channels": ("conv", [node("Einsum", "x w", equation="bchw, oc -> bohw")],
                           {"w": numbers(6, 4)}, 17),
    "einsum of rows": ("permute conv permute", [node("Einsum", "x w",
                       equation="nchw,hd->nwcd")], {"w": numbers(8, 5)}, 17),
    "layer norm of maps": ("flatten layernorm reshape", [node("LayerNormalization", "x s b",
                           axis=1)], {"s": numbers(4, 8, 8), "b": numbers(4, 8, 8)}, 17),
    "softmax of opset 11": ("flatten softmax reshape", [node("Softmax", "x", axis=1)], {}, 11),
    "cumulative sum from behind": ("flip cumsum flip", [node("CumSum", "x a", reverse=1)],
                                   {"a": ints(2)}, 17),
    "one-hot channels": ("argmax one_hot permute", [node("ArgMax", "x", "i", axis=1, keepdims=0),
                         node("OneHot", "i d v", axis=1)], {"d": ints(4), "v": num([0, 1])}, 17),
    "hardmax": ("argmax one_hot permute", [node("Hardmax", "x", axis=2)], {}, 17),
    "slice from behind": ("flip slice", [node("Slice", "x b e a s")],
                          {"b": ints(-2), "e": ints(0), "a": ints(2), "s": ints(-3)}, 17),
    "bilinear from corners": ("pad upsample slice slice", [node("Resize", "x  scales",
                              mode="linear", coordinate_transformation_mode="asymmetric")],
                              {"scales": num([1, 1, 1.5, 2])}, 17),
    "bilinear from corners, smaller": ("pad upsample slice slice", [node("Resize", "x   sizes",
                                       mode="linear",
                                       coordinate_transformation_mode="asymmetric")],
                                       {"sizes": ints(1, 4, 5, 3)}, 17),
    "layer norm": ("flatten layernorm", [node("Flatten", "x", "a"), node("LayerNormalization",
                   "a s b", epsilon=1e-6)], {"s": numbers(256), "b": numbers(256)}, 17),
    "layer norm written out": ("flatten layernorm", [node("Flatten", "x", "a"),
        node("ReduceMean", "a", "m", axes=[-1]), node("Sub", "a m", "c"),
        node("Pow", "c two", "p"), node("ReduceMean", "p", "v", axes=[-1]),
        node("Add", "v e", "ve"), node("Sqrt", "ve", "r"), node("Div", "c r", "n"),
        node("Mul", "n s", "k"), node("Add", "k b")],
        {"two": num(2), "e": num(1e-5), "s": numbers(256), "b": numbers(256)}, 13),
    "group norm written out": ("groupnorm", [node("Reshape", "x g", "a"),
        node("InstanceNormalization", "a o z", "i"), node("Shape", "x", "h"),
        node("Reshape", "i h", "u"), node("Mul", "u s", "k"), node("Add", "k b")],
        {"g": ints(0, 2, -1), "o": num([1, 1]), "z": num([0, 0]), "s": numbers(4, 1, 1),
         "b": numbers(4, 1, 1)}, 17),
    "channels last": ("conv layernorm conv gelu conv scale add", [
        node("Conv", "x w", "c", pads=[1] * 4), node("Transpose", "c", "l", perm=[0, 2, 3, 1]),
        node("LayerNormalization", "l s b", "n"), node("MatMul", "n m", "p"),
        node("Add", "p b", "q"), node("Gelu", "q", "g"), node("MatMul", "g m", "h"),
        node("Mul", "h s", "k"), node("Transpose", "k", "f", perm=[0, 3, 1, 2]),
        node("Add", "f c")],
        {"w": numbers(6, 4, 3, 3), "s": numbers(6), "b": numbers(6, seed=1),
         "m": numbers(6, 6)}, 20),
    "sum of channels last": ("relu sigmoid add", [
        node("Relu", "x", "a"), node("Sigmoid", "x", "b"),
        node("Transpose", "a", "c", perm=[0, 2, 3, 1]),
        node("Transpose", "b", "d", perm=[0, 2, 3, 1]), node("Add", "c d", "e"),
        node("Transpose", "e", "y", perm=[0, 3, 1, 2])], {}, 17),
    "taken one by one": ("identity", [node("Reshape", "x s", "r"), node("Gather", "r p")],
                         {"s": ints(-1), "p": numpy.arange(256).reshape(1, 4, 8, 8)}, 17),
    "reshape": ("reshape", [node("Reshape", "x s")], {"s": ints(0, 16, 16)}, 17),
    "squeeze": ("global_avgpool flatten", [node("GlobalAveragePool", "x", "a"),
                node("Squeeze", "a s")], {"s": ints(2, 3)}, 17),
    "nearest": ("upsample", [node("Resize", "x  scales", mode="nearest", nearest_mode="floor",
                coordinate_transformation_mode="asymmetric")], UP, 17),
    "bilinear": ("upsample", [node("Resize", "x  scales", mode="linear")], UP, 17),
    "pixels": ("pixel_shuffle", [node("DepthToSpace", "x", blocksize=2, mode="CRD")], {}, 17),
    "dropout": ("dropout", [node("Dropout", "x r")], {"r": num(0.25)}, 17),
    "identity": ("identity", [node("Identity", "x")], {}, 17),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_operator_is_recognised(name: str, tmp_path: Path) -> None:
    words, nodes, weights, opset = CASES[name]
    path = saved(model(nodes, IMAGE, weights, opset), tmp_path)
    found = from_file(path)
    assert " ".join(n.op.name for n in found.graph.nodes[1:]) == words
    ours, theirs = outputs(found, path)
    numpy.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-5)


FOREIGN: dict[str, tuple[list[Any], dict[str, Any], int | None]] = {
    "other coefficient": ([node("Resize", "x  scales", mode="cubic", cubic_coeff_a=-0.5)], UP, 0),
    "antialiased": ([node("Resize", "x  scales", mode="linear", antialias=1)], UP, 0),
    "determinant": ([node("Det", "x")], {}, None),
    "over the batch": ([node("Softmax", "x", axis=0)], {}, 0),
}  # fmt: skip


@pytest.mark.parametrize("name", FOREIGN)
def test_what_has_no_word_is_opaque(name: str, tmp_path: Path) -> None:
    nodes, weights, products = FOREIGN[name]
    found = from_file(saved(model(nodes, IMAGE, weights, 20), tmp_path)).graph
    (last,) = found.nodes[1:]
    assert last.op.name == "opaque"
    assert last.op.kind == f"onnx.{nodes[0].op_type}"
    assert last.op.products == products
