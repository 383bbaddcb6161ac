"""ONNX operators that become several of ours compute the same as onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy
import pytest

pytest.importorskip("onnx", reason="needs archscope[onnx]")

from archscope.analysis import analyze
from archscope.importers.onnx import from_file
from tests.importers.onnx.models import Array, model, numbers, saved
from tests.importers.onnx.test_aten_forms import check
from tests.importers.onnx.test_onnx_ops import ints, node, num

Nodes, Weights = list[Any], dict[str, Array]

REDUCING = ("ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ReduceSum", "ReduceProd")
RELATIONS = ("Equal", "Greater", "Less", "GreaterOrEqual", "LessOrEqual")
WHOLE = [node("Mul", "x ten", "m"), node("Floor", "m", "w")]
POOLS: dict[str, dict[str, Any]] = {
    "pads": {"pads": [1, 0, 1, 1], "strides": [2, 2]},
    "ceil": {"ceil_mode": 1, "strides": [2, 2]},
    "same": {"auto_pad": "SAME_UPPER", "strides": [2, 2]},
    "plain": {},
}
CASES: dict[str, tuple[Nodes, Weights]] = {
    **{f"prelu {shape}": ([node("PRelu", "x s")], {"s": numbers(*shape)})
       for shape in ((4, 8, 8), (8, 8), (8,), (1, 4, 8, 8), (4, 1, 1), (4, 8, 1))},
    "prelu of computed slopes": ([node("Tanh", "x", "s"), node("PRelu", "x s")], {}),
    **{f"shrink {limit} {bias}": ([node("Shrink", "x", lambd=limit, bias=bias)], {})
       for limit, bias in ((0.5, 0.0), (0.5, 0.5), (0.3, 0.1), (0.0, 0.2))},
    "swish": ([node("Sigmoid", "x", "g"), node("Mul", "x g")], {}),
    **{f"without axes {kind}": ([node(kind, "x", noop_with_empty_axes=1)], {})
       for kind in REDUCING},
    **{f"product {keep}": ([node("ReduceProd", "x a", keepdims=keep)], {"a": ints(1, -1)})
       for keep in (0, 1)},
    "one number": ([node("ReduceMean", "x a", keepdims=0)], {"a": ints(1, 2, 3)}),
    **{f"pool {name} {norm}": ([node("LpPool", "x", kernel_shape=[3, 2], p=norm, **words)], {})
       for name, words in POOLS.items() for norm in (1, 2, 3)},
    **{f"pool of all {norm}": ([node("GlobalLpPool", "x", p=norm)], {}) for norm in (1, 2, 3)},
    **{f"unit length {norm} {axis}": ([node("LpNormalization", "x", p=norm, axis=axis)], {})
       for norm in (1, 2) for axis in (1, -1)},
    **{f"normalised {axes}": ([node("MeanVarianceNormalization", "x", axes=axes)], {})
       for axes in ([1, 2, 3], [2, 3], [3], [1], [1, 3])},
    **{f"sum before {reverse}": ([node("CumSum", "x a", exclusive=1, reverse=reverse)],
                                 {"a": numpy.array(axis)})
       for reverse in (0, 1) for axis in (1, 2)},
    **{f"last {kind}": ([node("Clip", "x z", "c"),
                         node(kind, "c", "i", axis=2, select_last_index=1),
                         node("Cast", "i", to=1)], {"z": num(0)}) for kind in ("ArgMax", "ArgMin")},
    "marks": ([node("ArgMax", "x", "i", axis=1, keepdims=0), node("OneHot", "i n v", axis=1)],
              {"n": numpy.array(4), "v": num([-1, 2])}),
    **{f"{kind} {shape}": ([node(kind, "x w", "b"), node("Cast", "b", to=1)],
                           {"w": numbers(*shape)})
       for kind in RELATIONS for shape in ((4, 1, 1), (8,), (1, 4, 8, 8))},
    "either": ([node("Greater", "x z", "a"), node("Less", "x o", "b"), node("Xor", "a b", "c"),
                node("Cast", "c", to=1)], {"z": num(0), "o": num(1)}),
    "no number": ([node("Log", "x", "l"), node("IsNaN", "l", "b"), node("Cast", "b", to=1)], {}),
    "infinite": ([node("Relu", "x", "r"), node("Log", "r", "l"), node("IsInf", "l", "b"),
                  node("Cast", "b", to=1)], {}),
    "infinite above": ([node("Relu", "x", "r"), node("Log", "r", "l"),
                        node("IsInf", "l", "b", detect_negative=0), node("Cast", "b", to=1)], {}),
    "remainder of weights": ([*WHOLE, node("Mod", "w d", fmod=1)],
                             {"ten": num(10), "d": num([3, 4, 5, 7]).reshape(4, 1, 1)}),
    "halved": ([node("Abs", "x", "p"), node("Cast", "p", "c", to=13),
                node("BitShift", "c s", "h", direction="RIGHT"), node("Cast", "h", to=1)],
               {"s": numpy.array(1, numpy.uint64)}),
    "base of each channel": ([node("Pow", "w x")], {"w": abs(numbers(4, 1, 1))}),
    "mask of zeros and ones": ([node("Where", "m x z")],
                               {"m": numbers(8, 8) > 0, "z": num(-1e9)}),
    "limits that are left out": ([node("Clip", "x", "c"), node("Relu", "c")], {}),
    "size": ([node("Size", "x", "n"), node("Cast", "n", "f", to=1), node("Div", "x f")], {}),
    "type of another": ([node("CastLike", "x n", "c"), node("Cast", "c", to=1)], {"n": ints(1)}),
    **{f"norm with {shape}": ([node("LayerNormalization", "x s b", axis=1)],
                              {"s": numbers(*shape), "b": numbers(*shape)})
       for shape in ((4, 1, 1), (8,))},
    "vector": ([node("MatMul", "x v")], {"v": numbers(8)}),
    "vector in front": ([node("MatMul", "v x")], {"v": numbers(8)}),
    **{f"equation {equation} {shape}": ([node("Einsum", "x w", equation=equation)],
                                        {"w": numbers(*shape)}) for equation, shape in (
        ("bchw,oc->bohw", (5, 4)), ("bchw,c->bhw", (4,)), ("bchw,c->bchw", (4,)),
        ("bchw,cd->bhwd", (4, 3)), ("bchw,cwd->bhcd", (4, 8, 3)), ("bchw,hwde->bced", (8, 8, 2, 3)),
        ("bchw,wz->bchw", (8, 2)), ("bchw,cw->bwh", (4, 8)))},
    "equation with weights first": ([node("Einsum", "w x", equation="oc,bchw->bohw")],
                                    {"w": numbers(5, 4)}),
    **{f"equation of one {equation}": ([node("Einsum", "x", equation=equation)], {})
       for equation in ("bchw->bwhc", "bchw->bwc", "bchw->bchw")},
}  # fmt: skip


@pytest.mark.parametrize("images", [1, 3])
@pytest.mark.parametrize("name", CASES)
def test_forms(name: str, images: int, tmp_path: Path) -> None:
    nodes, weights = CASES[name]
    check(saved(model(nodes, (images, 4, 8, 8), weights, 20), tmp_path))


@pytest.mark.parametrize(
    ("kind", "shape", "params"),
    [("PRelu", (4, 8, 8), 256), ("PRelu", (8,), 8), ("Mod", (4, 1, 1), 0), ("Where", (8, 8), 128)],
)
def test_weights_are_counted_once(
    kind: str, shape: tuple[int, ...], params: int, tmp_path: Path
) -> None:
    """However many of our operators hold them."""
    inputs, weights = "x w", {"w": abs(numbers(*shape))}
    nodes, words = [], {"fmod": 1} if kind == "Mod" else {}
    if kind == "Where":
        nodes, inputs = [node("Greater", "x z", "m")], "m w v"
        weights |= {"z": num(0), "v": numbers(*shape, seed=1)}
    path = saved(model([*nodes, node(kind, inputs, **words)], (1, 4, 8, 8), weights), tmp_path)
    result = analyze(from_file(path).graph)
    assert result.totals.params == params
    assert max(layer.params for layer in result.layers) == params // len(
        [layer for layer in result.layers if layer.params] or [1]
    )


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "RNN"])
def test_backward_layers(kind: str, tmp_path: Path) -> None:
    """Their sequence, and their last state, which is that of the first position."""
    gates = {"LSTM": 4, "GRU": 3, "RNN": 1}[kind]
    words = {"linear_before_reset": 1} if kind == "GRU" else {}
    nodes = [
        node("Transpose", "x", "t", perm=[1, 0, 2]),
        node(kind, "t w r b", "s h", hidden_size=6, direction="reverse", **words),
        node("Squeeze", "s one", "q"), node("Transpose", "q", "p", perm=[1, 0, 2]),
        node("Transpose", "h", "k", perm=[1, 0, 2]), node("Concat", "k p", axis=1),
    ]  # fmt: skip
    weights = {
        "w": numbers(1, gates * 6, 8), "r": numbers(1, gates * 6, 6),
        "b": numbers(1, 2 * gates * 6), "one": ints(1),
    }  # fmt: skip
    check(saved(model(nodes, (2, 5, 8), weights), tmp_path))


def attention(**words: Any) -> Nodes:
    return [
        node("MatMul", "x wq", "q"), node("MatMul", "x wk", "k"), node("MatMul", "x wv", "v"),
        node("Attention", "q k v" + words.pop("mask", ""), q_num_heads=4, **words),
    ]  # fmt: skip


CHOSEN = numpy.tri(5, dtype=bool)[::-1].copy()
ATTENDING: dict[str, tuple[Nodes, Weights]] = {
    "plain": (attention(kv_num_heads=4), {}),
    "scaled": (attention(kv_num_heads=4, scale=0.3), {}),
    "causal": (attention(kv_num_heads=4, is_causal=1), {}),
    "shared heads": (attention(kv_num_heads=2), {}),
    "added": (attention(kv_num_heads=4, mask=" m"), {"m": numbers(5, 5)}),
    "allowed": (attention(kv_num_heads=4, mask=" m"), {"m": CHOSEN}),
}


@pytest.mark.parametrize("name", ATTENDING)
def test_attention_of_onnx(name: str, tmp_path: Path) -> None:
    nodes, masks = ATTENDING[name]
    (heads,) = (given.i for given in nodes[-1].attribute if given.name == "kv_num_heads")
    width = 4 * heads
    weights = {"wq": numbers(8, 16), "wk": numbers(8, width), "wv": numbers(8, width), **masks}
    check(saved(model(nodes, (2, 5, 8), weights, 23), tmp_path))


@pytest.mark.parametrize(
    ("words", "mask"),
    [
        ({"softcap": 2.0}, None),
        ({"mask": " m"}, numpy.zeros((5, 5), dtype=bool)),
        ({"mask": " m", "is_causal": 1}, CHOSEN),
    ],
)
def test_attention_that_runtimes_decide_stays_opaque(
    words: dict[str, Any], mask: Array | None, tmp_path: Path
) -> None:
    weights = {name: numbers(8, 16) for name in ("wq", "wk", "wv")}
    weights |= {} if mask is None else {"m": mask}
    nodes = attention(kv_num_heads=4, **words)
    found = from_file(saved(model(nodes, (1, 5, 8), weights, 23), tmp_path)).graph
    assert found.nodes[-1].op.name == "opaque"


OPAQUE: dict[str, tuple[Nodes, Weights]] = {
    "over the batch": ([node("Softmax", "x", axis=0)], {}),
    "sum of all": ([node("ReduceSum", "x", keepdims=0)], {}),
    "statistics of the batch": ([node("MeanVarianceNormalization", "x")], {}),
    "bias of each image": ([node("Flatten", "x", "f"), node("Gemm", "f w b")],
                           {"w": numbers(256, 4), "b": numbers(2, 4)}),
    "bits": ([node("Cast", "x", "c", to=7), node("BitwiseAnd", "c n", "b"),
              node("Cast", "b", to=1)], {"n": ints(3)}),
}  # fmt: skip


@pytest.mark.parametrize("name", OPAQUE)
def test_what_is_not_of_one_image_stays_opaque(name: str, tmp_path: Path) -> None:
    nodes, weights = OPAQUE[name]
    found = from_file(saved(model(nodes, (2, 4, 8, 8), weights, 20), tmp_path)).graph
    assert "opaque" in [made.op.name for made in found.nodes]
