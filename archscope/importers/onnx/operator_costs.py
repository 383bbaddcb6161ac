"""What ONNX operators that have no word here hold and cost."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.onnx.resolve import Trace
from archscope.importers.onnx.step import Step

MOVING = frozenset({
    "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Concat", "Split", "Slice", "Range",
    "Gather", "GatherND", "GatherElements", "Expand", "Tile", "Pad", "DepthToSpace",
    "SpaceToDepth", "Identity", "ReverseSequence", "Shape", "Cast", "Dropout",
})  # fmt: skip
"""Operators that move numbers and compute nothing."""

WORK = {
    **dict.fromkeys((
        "Add", "Sub", "Mul", "Div", "Neg", "Abs", "Sqrt", "Exp", "Pow", "Log", "Sin",
        "Cos", "Reciprocal", "Floor", "Ceil", "Round", "Sign", "Erf", "Where", "Equal", "Greater",
        "Less", "GreaterOrEqual", "LessOrEqual", "And", "Or", "Not", "Xor", "Relu", "Tanh",
        "ThresholdedRelu",
    ), 1),
    "LeakyRelu": 2, "PRelu": 2, "Elu": 3, "Softplus": 3, "Softsign": 3, "Sigmoid": 4,
    "HardSigmoid": 4, "HardSwish": 5, "Gelu": 5, "Swish": 5, "Mish": 5, "Softmax": 5,
}  # fmt: skip
"""Operations on each element of the result, as our own operators count them."""

POINTWISE = frozenset(WORK) - {"Softmax"} | {
    "Cast", "Identity", "Dropout", "QuantizeLinear", "DequantizeLinear", "Selu", "Celu", "IsNaN",
    "Tan", "Clip", "Sum", "Mean", "Max", "Min",
}  # fmt: skip
"""Operators that look at each element alone."""

SUMMING = frozenset({"Sum", "Mean", "Max", "Min"})
"""Operators that bring any number of values together."""

FREE = POINTWISE | SUMMING | {
    "LogSoftmax", "Softmax", "ReduceMean", "ReduceSum", "ReduceMax", "ReduceMin", "ReduceProd",
    "ReduceL1", "ReduceL2", "ReduceSumSquare", "ReduceLogSumExp", "ArgMax", "ArgMin", "TopK",
    "MaxPool", "AveragePool", "LpPool", "GlobalAveragePool", "GlobalMaxPool", "GlobalLpPool",
    "LayerNormalization", "BatchNormalization", "InstanceNormalization", "GroupNormalization",
    "RMSNormalization", "LRN", "LpNormalization", "DynamicQuantizeLinear", "CumSum", "Resize",
    "Upsample",
}  # fmt: skip
"""Operators that multiply no matrices and convolve nothing."""

CONVOLVING = {"Conv": 1, "DeformConv": 1, "ConvInteger": 1, "QLinearConv": 3}
"""Convolutions without a word here, and which of their inputs holds the weights."""

LEARNED = {
    "QLinearConv": (3, 8), "ConvInteger": (1,), "QLinearMatMul": (3,), "MatMulInteger": (1,),
    "QuantizeLinear": (0,), "DequantizeLinear": (0,),
}  # fmt: skip
"""The inputs of quantised operators that were learned; the others say how they are packed."""

HOLDING = frozenset({
    "Linear", "MatMul", "Gemm", "Conv", "ConvTranspose", "DeformConv", "LSTM", "GRU", "RNN",
    "LayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization",
    "PRelu", "Attention", *LEARNED,
})  # fmt: skip
"""Operators whose constants were learned even where the file has them as `Constant`."""

FLOATS = "fV"
"""Kinds of numpy's types that are floating point; V are the short ones that numpy lacks."""


def learned(step: Step, trace: Trace, counted: set[str]) -> int:
    """Return the numbers that an operator learned, each the first time that it is read.

    A file does not say which were learned: all floating-point initialisers count, and all
    that multiplies by matrices or normalises.
    """
    places = LEARNED.get(step.kind, range(len(step.inputs)))
    names = [step.inputs[place] for place in places if place < len(step.inputs)]
    found = 0
    for name in names:
        value, roots = trace.constants.get(name), trace.roots.get(name)
        if value is None or not (roots or step.kind in HOLDING):
            continue
        new = (roots or {name}) - counted
        counted.update(new)
        numbers = [trace.constants[root] for root in new]
        found += sum(
            number.size for number in numbers if step.kind in LEARNED or _learnable(number)
        )
    return found


def costs(step: Step, trace: Trace, elements: int) -> tuple[int | None, int | None]:
    """Return the multiply-accumulates and other work of one image, where they are known.

    `elements` are those of the result.
    """
    if step.kind in MOVING:
        return 0, 0
    if step.kind in CONVOLVING:
        weight = trace.shapes[step.inputs[CONVOLVING[step.kind]]]
        bias = elements if len(step.inputs) > 2 else 0
        return elements * prod(weight[1:]), bias if step.kind == "Conv" else None
    if step.kind in ("MatMul", "Linear"):
        inner = trace.shapes[step.inputs[0]][-1]
        return elements * inner, elements if len(step.inputs) > 2 else 0
    if step.kind == "Gemm":
        inner = trace.shapes[step.inputs[0]][0 if step.attributes.get("transA") else 1]
        return elements * inner, None
    if step.kind in ("MatMulInteger", "QLinearMatMul"):
        return elements * trace.shapes[step.inputs[0]][-1], None
    if step.kind in WORK:
        return 0, WORK[step.kind] * elements
    if step.kind in SUMMING or step.kind == "Clip":  # which compares with each of its limits
        extra = elements if step.kind == "Mean" else 0
        return 0, elements * (sum(map(bool, step.inputs)) - 1) + extra
    return (0, None) if step.kind in FREE else (None, None)


def _learnable(value: Any) -> bool:
    """Return whether numbers are of a kind that is learned, and more than one."""
    # Quantised weights are bytes; other integers say shapes and places.
    integers = value.dtype.itemsize == 1 and value.dtype.kind in "iu" and value.ndim > 1
    return value.size > 1 and (integers or value.dtype.kind in FLOATS)
