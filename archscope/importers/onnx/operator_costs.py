"""Multiply-accumulates and other work of ONNX operators without an equivalent of ours."""

from __future__ import annotations

from math import prod

from archscope.importers.onnx.resolved_model import OnnxOperator, ResolvedModel

MOVING = frozenset({
    "Transpose", "Reshape", "Squeeze", "Unsqueeze", "Flatten", "Concat", "Split", "Slice", "Range",
    "Gather", "GatherND", "GatherElements", "Expand", "Tile", "Pad", "DepthToSpace",
    "SpaceToDepth", "Identity", "ReverseSequence", "Shape", "Cast", "Dropout",
})  # fmt: skip
"""Operators that move values and compute nothing."""

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
"""Operations per element of the result, as our own operators count them."""

POINTWISE = frozenset(WORK) - {"Softmax"} | {
    "Cast", "Identity", "Dropout", "QuantizeLinear", "DequantizeLinear", "Selu", "Celu", "IsNaN",
    "Tan", "Clip", "Sum", "Mean", "Max", "Min",
}  # fmt: skip
"""Element-wise operators."""

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
"""Operators without matrix products and convolutions."""

MULTIPLYING = frozenset({
    "MatMul", "Linear", "Gemm", "MatMulInteger", "QLinearMatMul",
    "com.microsoft.DynamicQuantizeMatMul", "com.microsoft.MatMulIntegerToFloat",
    "com.microsoft.FusedGemm",
})  # fmt: skip
"""Matrix products."""

CONVOLVING = {"Conv": 1, "DeformConv": 1, "ConvInteger": 1, "QLinearConv": 3,
              "com.microsoft.FusedConv": 1}  # fmt: skip
"""Convolutions without an operator of ours, and the index of their weights."""


RECURRENT = frozenset({"LSTM", "GRU", "RNN"})
"""Layers that multiply by their matrices, the second and third input, at every position."""


def operator_cost(
    operator: OnnxOperator, model: ResolvedModel, elements: int, images: int = 1
) -> tuple[int | None, int | None]:
    """Return the multiply-accumulates and other work of one image, None if unknown.

    `elements` is the size of the result, and `images` how many the shapes of the model hold.
    """
    if operator.kind in RECURRENT:
        x, w, r = (model.shapes[name] for name in operator.inputs[:3])
        products = prod(x[:2]) * (prod(w) + prod(r))
        return products // images if products % images == 0 else None, None
    if operator.kind in MOVING:
        return 0, 0
    if operator.kind in CONVOLVING:
        weight = model.shapes[operator.inputs[CONVOLVING[operator.kind]]]
        bias = elements if len(operator.inputs) > 2 else 0
        return elements * prod(weight[1:]), bias if operator.kind == "Conv" else None
    if operator.kind in MULTIPLYING:
        inner = model.shapes[operator.inputs[0]][0 if operator.attributes.get("transA") else -1]
        bias = elements if len(operator.inputs) > 2 else 0
        return elements * inner, bias if operator.kind in ("MatMul", "Linear") else None
    if operator.kind in WORK:
        return 0, WORK[operator.kind] * elements
    if operator.kind in SUMMING or operator.kind == "Clip":  # which compares with each limit
        extra = elements if operator.kind == "Mean" else 0
        return 0, elements * (sum(map(bool, operator.inputs)) - 1) + extra
    return (0, None) if operator.kind in FREE else (None, None)
