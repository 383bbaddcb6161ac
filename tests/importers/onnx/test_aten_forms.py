"""ONNX operators that are recognised by way of torch's compute the same as onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")


from archscope.analysis import analyze
from archscope.folding.fold import readable
from archscope.importers.onnx import from_file
from tests.importers.onnx.models import model, numbers, outputs, saved
from tests.importers.onnx.test_onnx_ops import ints, node, num

IMAGE, ROWS = (1, 4, 8, 8), (1, 5, 8)
OPSET = 20

Nodes = list[Any]
Weights = dict[str, Any]

OF_ONE = [
    "Relu", "Sigmoid", "Tanh", "Exp", "Neg", "Abs", "Erf", "Sin", "Cos", "Floor", "Ceil", "Round",
    "Sign", "Softplus", "HardSwish", "Mish", "Atan", "Sinh", "Cosh", "Asinh", "Elu", "Celu", "Selu",
    "LeakyRelu", "ThresholdedRelu", "HardSigmoid", "Gelu", "Reciprocal",
]  # fmt: skip
"""Functions of one value, with their default attributes."""

OF_TWO = ["Add", "Sub", "Mul", "Max", "Min", "Sum", "Mean"]
REDUCING = [
    "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceL1", "ReduceL2", "ReduceSumSquare",
    "ReduceLogSumExp",
]  # fmt: skip

CASES: dict[str, tuple[Nodes, Weights]] = {
    **{kind: ([node(kind, "x")], {}) for kind in OF_ONE},
    **{f"{kind} of rows": ([node("Transpose", "x", "t", perm=[0, 2, 3, 1]), node(kind, "t", "r"),
                          node("Flatten", "r")], {}) for kind in ("Relu", "Sin", "Celu")},
    **{f"{kind} of two": ([node("Relu", "x", "a"), node(kind, "x a")], {}) for kind in OF_TWO},
    **{f"{kind} of three": ([node("Relu", "x", "a"), node("Sin", "x", "b"), node(kind, "x a b")],
                            {}) for kind in ("Max", "Min", "Sum", "Mean")},
    **{f"{kind} with weights": ([node(kind, "x w")], {"w": numbers(4, 8, 8)}) for kind in OF_TWO},
    **{f"{kind} from weights": ([node(kind, "w x")], {"w": numbers(1, 4, 1, 1)})
       for kind in ("Sub", "Mul", "Add")},
    **{kind: ([node(kind, "x axes", keepdims=1)], {"axes": ints(2)}) for kind in REDUCING},
    **{f"{kind} without the axis": ([node(kind, "x axes", keepdims=0)], {"axes": ints(-1, 1)})
       for kind in REDUCING if kind != "ReduceLogSumExp"},
    "divided": ([node("Exp", "x", "e"), node("Div", "x e")], {}),
    "number divided": ([node("Exp", "x", "e"), node("Div", "w e")], {"w": num(3)}),
    "power": ([node("Abs", "x", "a"), node("Pow", "a w")], {"w": num(1.5)}),
    "base": ([node("Pow", "w x")], {"w": num(2)}),
    "clip": ([node("Clip", "x l h")], {"l": num(-0.5), "h": num(0.25)}),
    "clip from below": ([node("Clip", "x l")], {"l": num(0.1)}),
    "mask": ([node("Greater", "x z", "m"), node("Cast", "m", "c", to=1), node("Mul", "x c")],
             {"z": num(0.1)}),
    "choice": ([node("Sin", "x", "s"), node("Less", "x s", "m"), node("Where", "m x s")], {}),
    "both": ([node("Greater", "x z", "m"), node("Less", "x o", "n"), node("And", "m n", "b"),
              node("Cast", "b", to=1)], {"z": num(-0.5), "o": num(0.5)}),
    "softmax of rows": ([node("Softmax", "x")], {}),
    "log softmax": ([node("LogSoftmax", "x", axis=1)], {}),
    "cumulative sum": ([node("CumSum", "x a")], {"a": ints(2)}),
    "argmax": ([node("ArgMax", "x", "i", axis=1), node("Cast", "i", to=1)], {}),
    "topk": ([node("TopK", "x k", "v i", axis=1), node("Relu", "v")], {"k": ints(2)}),
    "places of topk": ([node("TopK", "x k", "v i", axis=1), node("Cast", "i", "c", to=1),
                        node("Mul", "v c")], {"k": ints(2)}),
    "rows and columns of topk": (
        [node("Flatten", "x", "f"), node("TopK", "f k", "v i"), node("Div", "i n", "r"),
         node("Mod", "i n", "c"), node("Cast", "r", "real", to=1), node("Cast", "c", "s", to=1),
         node("Mul", "s h", "t"), node("Add", "real t")],
        {"k": ints(5), "n": numpy.array(8), "h": num(0.1)}),
    "remainder of signs": ([node("Mod", "x w", fmod=1)], {"w": num(0.3)}),
    "to integers": ([node("Mul", "x w", "m"), node("Cast", "m", "i", to=7),
                     node("Cast", "i", to=1)], {"w": num(7.7)}),
    "to truth values": ([node("Relu", "x", "r"), node("Cast", "r", "b", to=9),
                         node("Not", "b", "n"), node("Cast", "n", to=1)], {}),
    "gathered at places": ([node("ArgMax", "x", "i", axis=3), node("GatherElements", "x i",
                            axis=3)], {}),
    "slices of two axes": ([node("Slice", "x s e a t")], {"s": ints(1, -3), "e": ints(4, 99),
                            "a": ints(1, 3), "t": ints(1, 2)}),
    "flipped": ([node("Slice", "x s e a t")],
                {"s": ints(-1), "e": ints(-99), "a": ints(3), "t": ints(-1)}),
    "element": ([node("Gather", "x i", axis=2)], {"i": numpy.array(-1)}),
    "some channels": ([node("Gather", "x i", axis=1)], {"i": ints(3, 0, 0)}),
    "rows joined": ([node("Concat", "x x", axis=3)], {}),
    "transposed": ([node("Transpose", "x", perm=[0, 1, 3, 2])], {}),
    "expanded": ([node("ReduceMean", "x a", "m"), node("Expand", "m s")],
                 {"a": ints(3), "s": ints(1, 4, 8, 5)}),
    "tiled": ([node("Tile", "x r")], {"r": ints(1, 2, 1, 3)}),
    **{f"pad {mode}": ([node("Pad", "x p", mode=mode)], {"p": ints(0, 0, 1, 2, 0, 0, 2, 1)})
       for mode in ("constant", "reflect", "edge", "wrap")},
    "pad of an axis": ([node("Pad", "x p v a")], {"p": ints(1, 2), "v": num(0.5), "a": ints(3)}),
    "blocks to channels": ([node("SpaceToDepth", "x", blocksize=2)], {}),
    "channels to blocks": ([node("DepthToSpace", "x", blocksize=2)], {}),
    "corners": ([node("Resize", "x  s", mode="linear",
                 coordinate_transformation_mode="align_corners")], {"s": num([1, 1, 2, 2])}),
    "cubic": ([node("Resize", "x  s", mode="cubic")], {"s": num([1, 1, 2, 2])}),
    "products": ([node("MatMul", "x x")], {}),
    "product with weights": ([node("MatMul", "w x")], {"w": numbers(1, 4, 3, 8)}),
    "equation": ([node("Einsum", "x x", equation="nchw,ncwv->nchv")], {}),
    "grid": ([node("Transpose", "x", "t", perm=[0, 2, 3, 1]), node("Slice", "t s e a", "g"),
              node("GridSample", "x g")], {"s": ints(0), "e": ints(2), "a": ints(3)}),
    "gated": ([node("Split", "x", "a b", axis=1, num_outputs=2), node("Sigmoid", "b", "g"),
               node("Mul", "a g")], {}),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_an_operator_of_images_is_recognised(name: str, tmp_path: Path) -> None:
    nodes, weights = CASES[name]
    check(saved(model(nodes, IMAGE, weights, OPSET), tmp_path))


ROW_CASES: dict[str, tuple[Nodes, Weights]] = {
    "linear": ([node("MatMul", "x w", "m"), node("Add", "m b")],
               {"w": numbers(8, 6), "b": numbers(6)}),
    "norm": ([node("LayerNormalization", "x s b")], {"s": numbers(8), "b": numbers(8)}),
    "norm and layer": ([node("LayerNormalization", "x s b", "n"), node("MatMul", "n w", "m"),
                        node("Gelu", "m", "g"), node("MatMul", "g v", "o"), node("Add", "x o")],
                       {"s": numbers(8), "b": numbers(8), "w": numbers(8, 12),
                        "v": numbers(12, 8)}),
    "positions": ([node("Add", "x p")], {"p": numbers(1, 5, 8)}),
    "class token": ([node("Concat", "t x", axis=1)], {"t": numbers(1, 1, 8)}),
    "sequence first": ([node("Transpose", "x", "t", perm=[1, 0, 2]), node("MatMul", "t w", "m"),
                        node("Relu", "m", "r"), node("Transpose", "r", perm=[1, 0, 2])],
                       {"w": numbers(8, 6)}),
    "rows merged with images": ([node("Reshape", "x s", "f"), node("Gemm", "f w b", "g"),
                                 node("Reshape", "g u")],
                                {"s": ints(5, 8), "w": numbers(8, 6), "b": numbers(6),
                                 "u": ints(1, 5, 6)}),
    "norm of rows in the batch": ([node("Reshape", "x s", "f"),
                                   node("BatchNormalization", "f g h m v", "n"),
                                   node("Reshape", "n u")],
                                  {"s": ints(5, 8), "u": ints(1, 5, 8), "g": numbers(8),
                                   "h": numbers(8), "m": numbers(8), "v": abs(numbers(8))}),
    "layer along many axes": ([node("Reshape", "x s", "f"), node("MatMul", "f w", "m"),
                               node("Add", "m b", "a"), node("Reshape", "a u")],
                              {"s": ints(1, 5, 1, 2, 2, 2), "w": numbers(2, 3), "b": numbers(3),
                               "u": ints(1, 5, 12)}),
}  # fmt: skip
"""On rows with their channels last, as transformers have them."""


@pytest.mark.parametrize("name", ROW_CASES)
def test_an_operator_of_rows_is_recognised(name: str, tmp_path: Path) -> None:
    nodes, weights = ROW_CASES[name]
    check(saved(model(nodes, ROWS, weights, OPSET), tmp_path))


def attention(heads: int, width: int, windows: int = 1) -> tuple[Nodes, Weights]:
    """Return attention as torch's exporter writes it, in windows that are merged with images."""
    positions, each = 16 // windows, width // heads
    nodes = [
        node("Reshape", "x s0", "w"),
        node("MatMul", "w qkv", "m"), node("Add", "m bias", "n"),
        node("Reshape", "n s1", "h"), node("Transpose", "h", "t", perm=[2, 0, 3, 1, 4]),
        node("Gather", "t zero", "q", axis=0), node("Gather", "t one", "k", axis=0),
        node("Gather", "t two", "v", axis=0), node("Mul", "q val_1", "p"),
        node("Transpose", "k", "kt", perm=[0, 1, 3, 2]), node("MatMul", "p kt", "r"),
        node("Add", "r table", "ra"), node("Softmax", "ra", "a", axis=-1),
        node("MatMul", "a v", "o"), node("Transpose", "o", "ot", perm=[0, 2, 1, 3]),
        node("Reshape", "ot s2", "f"), node("MatMul", "f out", "g"), node("Reshape", "g s3"),
    ]  # fmt: skip
    weights = {
        "s0": ints(windows, positions, width), "s1": ints(windows, positions, 3, heads, each),
        "s2": ints(windows, positions, width), "s3": ints(1, 16, width), "val_1": num(each**-0.5),
        "qkv": numbers(width, 3 * width), "bias": numbers(3 * width),
        "table": numbers(1, heads, positions, positions), "out": numbers(width, width),
        **{word: numpy.array(place) for place, word in enumerate(("zero", "one", "two"))},
    }  # fmt: skip
    return nodes, weights


@pytest.mark.parametrize("windows", [1, 4])
def test_attention_is_recognised(windows: int, tmp_path: Path) -> None:
    nodes, weights = attention(2, 8, windows)
    path = saved(model(nodes, (1, 16, 8), weights, OPSET), tmp_path)
    check(path)
    learned = ("qkv", "bias", "table", "out")
    result = analyze(from_file(path).graph)
    assert result.totals.params == sum(weights[word].size for word in learned)
    assert result.totals.macs == 16 * 8 * 32 + 2 * 16 * (16 // windows) * 8
    words = [layer.op for layer in result.layers]
    assert "scaled_dot_product_attention" in words and "softmax" not in words


def recurrent(kind: str, sides: int, **attributes: Any) -> tuple[Any, Weights]:
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    direction = "bidirectional" if sides == 2 else "forward"
    if kind == "GRU":
        attributes["linear_before_reset"] = 1
    made = node(kind, "t w r b", "s h", hidden_size=6, direction=direction, **attributes)
    shapes = {"w": (sides, gates * 6, 8), "r": (sides, gates * 6, 6), "b": (sides, 2 * gates * 6)}
    return made, {name: numbers(*shape, seed=1) for name, shape in shapes.items()}


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_recurrent_layers_are_recognised(kind: str, sides: int, tmp_path: Path) -> None:
    layer, weights = recurrent(kind, sides)
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]), layer,
        node("Transpose", "s", "st", perm=[0, 2, 1, 3]), node("Reshape", "st u", "f"),
        node("Transpose", "f", perm=[1, 0, 2]),
    ]  # fmt: skip
    weights["u"] = ints(5, 1, 6 * sides)
    path = saved(model(nodes, ROWS, weights, OPSET), tmp_path)
    check(path)
    held = sum(weights[word].size for word in "wrb")
    assert analyze(from_file(path).graph).totals.params == held


@pytest.mark.parametrize("sides", [1, 2])
@pytest.mark.parametrize("kind", ["LSTM", "GRU"])
def test_the_last_states_are_recognised(kind: str, sides: int, tmp_path: Path) -> None:
    layer, weights = recurrent(kind, sides)
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]), layer,
        node("Transpose", "h", "p", perm=[1, 0, 2]), node("Flatten", "p"),
    ]  # fmt: skip
    check(saved(model(nodes, ROWS, weights, OPSET), tmp_path))


@pytest.mark.parametrize("sides", [1, 2])
def test_states_beside_the_sequence_are_its_ends(sides: int, tmp_path: Path) -> None:
    layer, weights = recurrent("GRU", sides)
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]), layer,
        node("Transpose", "h", "p", perm=[1, 0, 2]), node("Flatten", "p", "ends"),
        node("Transpose", "s", "q", perm=[2, 0, 1, 3]), node("Flatten", "q", "all"),
        node("Concat", "ends all", axis=1),
    ]  # fmt: skip
    path = saved(model(nodes, ROWS, weights, OPSET), tmp_path)
    check(path)
    assert [made.op.name for made in from_file(path).graph.nodes].count("gru") == 1


def test_what_torch_does_not_compute_stays_opaque(tmp_path: Path) -> None:
    layer, weights = recurrent("LSTM", 1, clip=1.0)
    nodes = [node("Transpose", "x", "t", perm=[1, 0, 2]), layer, node("Squeeze", "h a")]
    path = saved(model(nodes, ROWS, {**weights, "a": ints(0)}, OPSET), tmp_path)
    names = [made.op.name for made in from_file(path).graph.nodes]
    assert names.count("opaque") == 1


def check(path: Path) -> None:
    """Check that a file has no opaque operator, builds with its weights, and is a spec."""
    found = from_file(path)
    assert "opaque" not in [made.op.name for made in found.graph.nodes]
    ours, theirs = outputs(found, path)
    numpy.testing.assert_allclose(ours.reshape(theirs.shape), theirs, rtol=1e-4, atol=1e-5)
    again = analyze(readable(found.graph).graph).totals
    counts = analyze(found.graph).totals
    assert (again.params, again.macs) == (counts.params, counts.macs)
    assert again.elementwise == counts.elementwise
