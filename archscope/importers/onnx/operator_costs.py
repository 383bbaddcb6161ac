"""Params, multiply-accumulates and other work of ONNX operators that have no operator of ours."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.onnx.resolve import OnnxOperator, ResolvedModel

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
"""Operators whose every element depends on that element of the inputs alone."""

SUMMING = frozenset({"Sum", "Mean", "Max", "Min"})
"""Operators that combine any number of values."""

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
"""Convolutions that we have no operator for, and which of their inputs are the weights."""

LEARNED = {
    "QLinearConv": (3, 8), "ConvInteger": (1,), "QLinearMatMul": (3,), "MatMulInteger": (1,),
    "QuantizeLinear": (0,), "DequantizeLinear": (0,),
}  # fmt: skip
"""The inputs of quantized operators that were learned; the others say how they are packed."""

HOLDING = frozenset({
    "Linear", "MatMul", "Gemm", "Conv", "ConvTranspose", "DeformConv", "LSTM", "GRU", "RNN",
    "LayerNormalization", "RMSNormalization", "InstanceNormalization", "GroupNormalization",
    "PRelu", "Attention", *LEARNED,
})  # fmt: skip
"""Operators whose constants are params even where the file has them as `Constant`."""

FLOATS = "fV"
"""Kinds of numpy's types that are floating point; V stands for those that numpy lacks."""


def learned_params(operator: OnnxOperator, model: ResolvedModel, counted: set[str]) -> int:
    """Return the count of an operator's params, each counted where it is first read.

    A file does not say which constants were learned. All floating-point initializers count as
    params, and so do all constants of operators that multiply by matrices or normalise.
    """
    places = LEARNED.get(operator.kind, range(len(operator.inputs)))
    names = [operator.inputs[place] for place in places if place < len(operator.inputs)]
    params = 0
    for name in names:
        value, sources = model.constants.get(name), model.sources.get(name)
        if value is None or not (sources or operator.kind in HOLDING):
            continue
        new = (sources or {name}) - counted
        counted.update(new)
        arrays = [model.constants[source] for source in new]
        params += sum(
            array.size for array in arrays if operator.kind in LEARNED or _is_learnable(array)
        )
    return params


def operator_cost(
    operator: OnnxOperator, model: ResolvedModel, elements: int
) -> tuple[int | None, int | None]:
    """Return the multiply-accumulates and other work of one image, None where not known.

    `elements` is the size of the result.
    """
    if operator.kind in MOVING:
        return 0, 0
    if operator.kind in CONVOLVING:
        weight = model.shapes[operator.inputs[CONVOLVING[operator.kind]]]
        bias = elements if len(operator.inputs) > 2 else 0
        return elements * prod(weight[1:]), bias if operator.kind == "Conv" else None
    if operator.kind in ("MatMul", "Linear", "Gemm", "MatMulInteger", "QLinearMatMul"):
        inner = model.shapes[operator.inputs[0]][0 if operator.attributes.get("transA") else -1]
        bias = elements if len(operator.inputs) > 2 else 0
        return elements * inner, bias if operator.kind in ("MatMul", "Linear") else None
    if operator.kind in WORK:
        return 0, WORK[operator.kind] * elements
    if operator.kind in SUMMING or operator.kind == "Clip":  # which compares with each limit
        extra = elements if operator.kind == "Mean" else 0
        return 0, elements * (sum(map(bool, operator.inputs)) - 1) + extra
    return (0, None) if operator.kind in FREE else (None, None)


def _is_learnable(value: Any) -> bool:
    """Return whether an array has several elements of a type that is learned."""
    # Quantized weights are bytes; other integers are shapes and places.
    integers = value.dtype.itemsize == 1 and value.dtype.kind in "iu" and value.ndim > 1
    return value.size > 1 and (integers or value.dtype.kind in FLOATS)
