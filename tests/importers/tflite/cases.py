"""A model for each operator that is read, and what TensorFlow Lite's own runtime gives for it.

`python -m tests.importers.tflite.cases` writes the numbers of `litert.json` again; it needs the
package ai-edge-litert, which is no dependency of anything here.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy

from tests.importers.tflite.writer import Array, Writer, numbers

RESULTS = Path(__file__).parent / "litert.json"

SAME, VALID = 0, 1
RELU, RELU_N1, RELU6 = 1, 2, 3
CASES: dict[str, Callable[[], Writer]] = {}


def case(make: Callable[[], Writer]) -> Callable[[], Writer]:
    """Add a function to the cases."""
    CASES[make.__name__] = make
    return make


def single(kind: str, out: tuple[int, ...], *constants: Any, shape: Any = (1, 5, 6, 4),
           name: str = "", first: bool = False, **options: Any) -> None:  # fmt: skip
    """Add a case of one operator on `x` and constants."""

    def make() -> Writer:
        w = Writer(*shape)
        others = [w.constant(value) for value in constants]
        w.op(kind, [*others, 0] if first else [0, *others], out, **options)
        return w

    CASES[name or kind.lower()] = make


W = numbers(6, 3, 3, 4)
single("CONV_2D", (1, 3, 3, 6), W, numbers(6, seed=1), name="conv_same", Padding=SAME, StrideH=2,
       StrideW=2, FusedActivationFunction=RELU6)  # fmt: skip
single("CONV_2D", (1, 3, 2, 6), W, numbers(6, seed=1), name="conv_valid", Padding=VALID, StrideH=1,
       StrideW=2, FusedActivationFunction=RELU)  # fmt: skip
single("CONV_2D", (1, 5, 6, 6), W, name="conv_dilated", Padding=SAME, StrideH=1, StrideW=1,
       DilationHFactor=2, DilationWFactor=1, FusedActivationFunction=RELU_N1)  # fmt: skip
single("CONV_2D", (1, 5, 6, 6), numbers(6, 1, 1, 2), numbers(6, seed=1), name="conv_groups",
       Padding=VALID, StrideH=1, StrideW=1)  # fmt: skip
single("DEPTHWISE_CONV_2D", (1, 3, 3, 8), numbers(1, 3, 3, 8), numbers(8, seed=1),
       name="depthwise", Padding=SAME, StrideH=2, StrideW=2, DepthMultiplier=2,
       FusedActivationFunction=RELU)  # fmt: skip


def _transposed(padding: int, kernel: int, stride: int, out: tuple[int, int]) -> Writer:
    w = Writer(1, 3, 4, 4)
    shape, weight = w.constant([1, *out, 3]), w.constant(numbers(3, kernel, kernel, 4))
    w.op("TRANSPOSE_CONV", [shape, weight, 0], (1, *out, 3), Padding=padding, StrideH=stride,
         StrideW=stride)  # fmt: skip
    return w


CASES["transpose_conv_same"] = lambda: _transposed(SAME, 3, 2, (6, 8))
CASES["transpose_conv_even"] = lambda: _transposed(SAME, 4, 2, (6, 8))
CASES["transpose_conv_valid"] = lambda: _transposed(VALID, 3, 2, (7, 9))
CASES["transpose_conv_wide"] = lambda: _transposed(SAME, 2, 3, (9, 12))
CASES["transpose_conv_odd"] = lambda: _transposed(SAME, 3, 2, (5, 7))

for kind in ("AVERAGE_POOL_2D", "MAX_POOL_2D"):
    short = kind.lower()
    single(kind, (1, 3, 3, 4), name=f"{short}_same", Padding=SAME, StrideH=2, StrideW=2,
           FilterHeight=3, FilterWidth=3)  # fmt: skip
    single(kind, (1, 5, 6, 4), name=f"{short}_even", Padding=SAME, StrideH=1, StrideW=1,
           FilterHeight=2, FilterWidth=2)  # fmt: skip
    single(kind, (1, 4, 3, 4), name=f"{short}_valid", Padding=VALID, StrideH=1, StrideW=2,
           FilterHeight=2, FilterWidth=2, FusedActivationFunction=RELU)  # fmt: skip
    single(kind, (1, 1, 1, 4), name=f"{short}_all", Padding=VALID, StrideH=1, StrideW=1,
           FilterHeight=5, FilterWidth=6)  # fmt: skip

FLAT = numbers(3, 120)
single("FULLY_CONNECTED", (1, 3), FLAT, numbers(3, seed=1), name="dense_of_a_map")
single("FULLY_CONNECTED", (30, 3), numbers(3, 4), numbers(3, seed=1), name="dense_of_rows")
single("FULLY_CONNECTED", (1, 5, 6, 3), numbers(3, 4), name="dense_at_positions",
       KeepNumDims=True, FusedActivationFunction=RELU)  # fmt: skip


@case
def dense_of_a_flattened_map() -> Writer:
    w = Writer(1, 5, 6, 4)
    flat = w.op("RESHAPE", [0, w.constant([1, -1])], (1, 120))
    w.op("FULLY_CONNECTED", [flat, w.constant(FLAT)], (1, 3))
    return w


@case
def a_flattened_map_that_is_added_to() -> Writer:
    w = Writer(1, 2, 3, 4)
    flat = w.op("RESHAPE", [0, w.constant([1, 24])], (1, 24))
    w.op("ADD", [flat, w.constant(numbers(24))], (1, 24))
    return w


for kind in ("ADD", "SUB", "MUL", "DIV", "MAXIMUM", "MINIMUM", "SQUARED_DIFFERENCE"):
    short = kind.lower()
    single(kind, (1, 5, 6, 4), numpy.float32([0.7]), name=f"{short}_number")
    single(kind, (1, 5, 6, 4), numbers(4, seed=2), name=f"{short}_channels")
    single(kind, (1, 5, 6, 4), numbers(1, 6, 4, seed=2), name=f"{short}_columns")
    single(kind, (1, 5, 6, 4), numpy.float32([0.7]), name=f"number_{short}", first=True)
    single(kind, (1, 5, 6, 4), numbers(4, seed=2), name=f"channels_{short}", first=True)


@case
def binary_of_two() -> Writer:
    w = Writer(1, 3, 3, 2)
    a = w.op("MUL", [0, 0], (1, 3, 3, 2), FusedActivationFunction=RELU6)
    mean = w.op("MEAN", [0, w.constant([1, 2])], (1, 2))
    b = w.op("SUB", [a, mean], (1, 3, 3, 2), FusedActivationFunction=RELU)
    c = w.op("MAXIMUM", [a, b], (1, 3, 3, 2))
    w.op("ADD", [c, b], (1, 3, 3, 2))
    return w


for kind in ("RELU", "RELU6", "LOGISTIC", "TANH", "HARD_SWISH", "ELU", "RELU_N1_TO_1", "NEG", "ABS",
             "EXP", "SQUARE", "SIN", "LOG_SOFTMAX", "L2_NORMALIZATION"):  # fmt: skip
    single(kind, (1, 5, 6, 4))
single("PRELU", (1, 5, 6, 4), numbers(1, 1, 4))
single("LEAKY_RELU", (1, 5, 6, 4), Alpha=0.3)
single("GELU", (1, 5, 6, 4), Approximate=True)
single("SOFTMAX", (1, 5, 6, 4), Beta=1.0)
single("SOFTMAX", (1, 5, 6, 4), Beta=2.0, name="softmax_beta")
single("LOCAL_RESPONSE_NORMALIZATION", (1, 5, 6, 4), Radius=1, Bias=2.0, Alpha=0.5, Beta=0.75)

single("MEAN", (1, 4), [1, 2])
single("MEAN", (1, 1, 1, 4), [1, 2], name="mean_kept", KeepDims=True)
single("MEAN", (1, 5, 6), [3], name="mean_of_channels")
single("SUM", (1, 6, 4), [1], name="sum_of_rows")
single("REDUCE_MAX", (1, 5, 6, 1), [-1], name="max_of_channels", KeepDims=True)
single("REDUCE_MIN", (1, 5), [2, 3], name="min_of_two")

single("RESHAPE", (1, 30, 4), [1, 30, 4], name="reshape_positions")
single("RESHAPE", (1, 10, 12), [1, 10, 12], name="reshape_mixed")
single("RESHAPE", (1, 2, 3, 5, 4), [1, 2, 3, 5, 4], name="reshape_five")
single("SQUEEZE", (1, 6, 4), shape=(1, 1, 6, 4), SqueezeDims=[1])
single("EXPAND_DIMS", (1, 5, 1, 6, 4), [2])
single("TRANSPOSE", (1, 4, 6, 5), [0, 3, 2, 1])
single("TRANSPOSE", (1, 5, 4, 6), [0, 1, 3, 2], name="transpose_last")
single("TILE", (1, 10, 6, 12), [1, 2, 1, 3])
single("GATHER", (1, 5, 3, 4), [5, 0, 2], Axis=2)
single("SLICE", (1, 2, 6, 3), [0, 1, 0, 1], [1, 2, -1, 3])
single("STRIDED_SLICE", (1, 2, 5, 4), [0, 0, 1, 0], [0, 4, 0, 0], [1, 2, 1, 1], BeginMask=9,
       EndMask=13)  # fmt: skip
single("STRIDED_SLICE", (1, 5, 4), [0, 0, -2, 0], [1, 5, 0, 4], [1, 1, 1, 1], name="strided_pick",
       ShrinkAxisMask=4)  # fmt: skip
single("PAD", (1, 8, 7, 4), [[0, 0], [1, 2], [0, 1], [0, 0]])
single("PAD", (1, 5, 6, 7), [[0, 0], [0, 0], [0, 0], [1, 2]], name="pad_channels")
single("PADV2", (1, 7, 6, 4), [[0, 0], [1, 1], [0, 0], [0, 0]], numpy.float32([2.5]))
single("MIRROR_PAD", (1, 7, 8, 4), [[0, 0], [1, 1], [2, 0], [0, 0]], Mode=0)
single("SPACE_TO_DEPTH", (1, 2, 3, 16), shape=(1, 4, 6, 4), BlockSize=2)
single("DEPTH_TO_SPACE", (1, 4, 6, 2), shape=(1, 2, 3, 8), BlockSize=2)
for name, shape, words in (
    ("nearest", (10, 12), {}), ("nearest_odd", (7, 9), {}),
    ("nearest_half", (7, 9), {"HalfPixelCenters": True}),
):  # fmt: skip
    single("RESIZE_NEAREST_NEIGHBOR", (1, *shape, 4), [*shape], name=name, **words)
single("RESIZE_BILINEAR", (1, 10, 12, 4), [10, 12], name="bilinear", HalfPixelCenters=True)
single("RESIZE_BILINEAR", (1, 7, 9, 4), [7, 9], name="bilinear_aligned", AlignCorners=True)
single("BATCH_MATMUL", (1, 5, 6, 3), numbers(4, 3), name="matmul_constant")


@case
def padded_conv() -> Writer:
    w = Writer(1, 5, 6, 4)
    wide = w.op("PAD", [0, w.constant([[0, 0], [0, 1], [1, 1], [0, 0]])], (1, 6, 8, 4))
    w.op("CONV_2D", [wide, w.constant(W)], (1, 2, 3, 6), Padding=VALID, StrideH=2, StrideW=2)
    return w


@case
def dilated_by_blocks() -> Writer:
    w = Writer(1, 5, 6, 4)
    block, pads = w.constant([2, 2]), w.constant([[2, 3], [2, 2]])
    parts = w.op("SPACE_TO_BATCH_ND", [0, block, pads], (4, 5, 5, 4))
    conv = w.op("CONV_2D", [parts, w.constant(W)], (4, 3, 3, 6), Padding=VALID, StrideH=1,
                StrideW=1)  # fmt: skip
    w.op("BATCH_TO_SPACE_ND", [conv, block, w.constant([[0, 1], [0, 0]])], (1, 5, 6, 6))
    return w


@case
def split_and_join() -> Writer:
    w = Writer(1, 4, 3, 6)
    a = w.op("SPLIT", [w.constant(3), 0], (1, 4, 3, 3), (1, 4, 3, 3), NumSplits=2)
    b = w.op("SPLIT_V", [0, w.constant([1, 3]), w.constant(1)], (1, 1, 3, 6), (1, 3, 3, 6),
             NumSplits=2)  # fmt: skip
    c = w.op("CONCATENATION", [a + 1, a], (1, 4, 3, 6), Axis=-1)
    d = w.op("CONCATENATION", [b + 1, b], (1, 4, 3, 6), Axis=1)
    w.op("ADD", [c, d], (1, 4, 3, 6))
    return w


@case
def stacked_and_unstacked() -> Writer:
    w = Writer(1, 3, 4, 2)
    rows = w.op("UNPACK", [0], *[(1, 4, 2)] * 3, Num=3, Axis=1)
    a = w.op("PACK", [rows + 2, rows], (1, 4, 2, 2), Axis=-1, ValuesCount=2)
    w.op("PACK", [a, a], (1, 2, 4, 2, 2), Axis=1, ValuesCount=2)
    return w


@case
def shuffled_channels() -> Writer:
    w = Writer(1, 3, 4, 6)
    a = w.op("RESHAPE", [0, w.constant([1, 3, 4, 2, 3])], (1, 3, 4, 2, 3))
    b = w.op("TRANSPOSE", [a, w.constant([0, 1, 2, 4, 3])], (1, 3, 4, 3, 2))
    w.op("RESHAPE", [b, w.constant([1, 3, 4, 6])], (1, 3, 4, 6))
    return w


@case
def attention() -> Writer:
    w = Writer(1, 2, 5, 4)
    scores = w.op("BATCH_MATMUL", [0, 0], (1, 2, 5, 5), AdjY=True)
    shares = w.op("SOFTMAX", [scores], (1, 2, 5, 5), Beta=1.0)
    a = w.op("BATCH_MATMUL", [shares, 0], (1, 2, 5, 4))
    w.op("BATCH_MATMUL", [a, shares], (1, 2, 4, 5), AdjX=True)
    return w


@case
def detection_head() -> Writer:
    """Boxes of two levels in one list, as SSD has them."""
    w = Writer(1, 4, 4, 4)
    parts = []
    for side, seed in ((4, 1), (2, 2)):
        out = (1, side, side, 6)
        x = w.op("CONV_2D", [0, w.constant(numbers(6, 3, 3, 4, seed=seed))], out, Padding=SAME,
                 StrideH=4 // side, StrideW=4 // side)  # fmt: skip
        rows = (1, side * side * 2, 1, 3)
        parts.append(w.op("RESHAPE", [x, w.constant([*rows])], rows))
    both = w.op("CONCATENATION", parts, (1, 40, 1, 3), Axis=1)
    w.op("SQUEEZE", [both], (1, 40, 3), SqueezeDims=[2])
    return w


@case
def half_weights() -> Writer:
    w = Writer(1, 5, 6, 4)
    half = w.constant(W.astype(numpy.float16))
    real = w.op("DEQUANTIZE", [half], W.shape, as_kind="FLOAT32")
    w.op("CONV_2D", [0, real], (1, 5, 6, 6), Padding=SAME, StrideH=1, StrideW=1)
    return w


@case
def images_of_a_batch() -> Writer:
    w = Writer(3, 5, 6, 4)
    a = w.op("CONV_2D", [0, w.constant(W)], (3, 5, 6, 6), Padding=SAME, StrideH=1, StrideW=1)
    mean = w.op("MEAN", [a, w.constant([1, 2])], (3, 6))
    w.op("FULLY_CONNECTED", [mean, w.constant(numbers(5, 6))], (3, 5))
    return w


def given(shape: tuple[int, ...]) -> Array:
    """Return the input of a case."""
    return numbers(*shape, seed=9)


def sample(array: Array) -> list[float]:
    """Return some numbers of an array, from all over it."""
    flat = array.reshape(-1)
    return [float(f"{value:.5g}") for value in flat[:: max(1, flat.size // 23)]]


def _run() -> None:
    from ai_edge_litert.interpreter import Interpreter  # type: ignore[import-not-found]

    results: dict[str, Any] = {}
    for name, make in CASES.items():
        interpreter = Interpreter(model_content=make().content())
        interpreter.allocate_tensors()
        (entry,), out = interpreter.get_input_details(), interpreter.get_output_details()[0]
        interpreter.set_tensor(entry["index"], given(tuple(entry["shape"])))
        interpreter.invoke()
        found = interpreter.get_tensor(out["index"])
        results[name] = {"shape": list(found.shape), "values": sample(found)}
    lines = (f'"{name}": {json.dumps(result)}' for name, result in results.items())
    RESULTS.write_text("{\n" + ",\n".join(lines) + "\n}\n")


if __name__ == "__main__":
    _run()
