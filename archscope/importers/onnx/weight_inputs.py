"""Tables of the inputs of ONNX operators that are weights, and of those that are never learned."""

from __future__ import annotations

HOLDING: dict[str, tuple[int, ...]] = {
    "Linear": (1, 2), "MatMul": (0, 1), "Gemm": (0, 1, 2),
    "Conv": (1, 2), "ConvTranspose": (1, 2), "DeformConv": (1, 3), "PRelu": (1,),
    "LSTM": (1, 2, 3, 7), "GRU": (1, 2, 3), "RNN": (1, 2, 3),
    "BatchNormalization": (1, 2), "LayerNormalization": (1, 2), "ChannelNorm": (1, 2),
    "InstanceNormalization": (1, 2), "GroupNormalization": (1, 2), "RMSNormalization": (1,),
    "QLinearConv": (3, 8), "ConvInteger": (1,), "QLinearMatMul": (0, 3), "MatMulInteger": (0, 1),
    "QuantizeLinear": (0,), "DequantizeLinear": (0,),
}  # fmt: skip
"""Operators that hold weights, and which of their inputs these are.

Their weights count even where the file has them as `Constant` or in integers.
"""

NORMS = frozenset({
    "BatchNormalization", "LayerNormalization", "ChannelNorm", "InstanceNormalization",
    "GroupNormalization", "RMSNormalization",
})  # fmt: skip
"""Operators that exporters write with constant ones and zeros if nothing was learned."""

STATES = {"LSTM": (5, 6), "GRU": (5,), "RNN": (5,)}
"""Inputs that are initial states, which were learned if they are initializers other than 0."""

STATISTICS = {"BatchNormalization": (3, 4)}
"""Inputs that were not learned but collected as statistics in training."""

READING = {
    **dict.fromkeys((
        "Resize", "Upsample", "Pad", "Gather", "GatherElements", "GatherND", "Slice", "Split",
        "Tile", "Expand", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Identity", "Cast",
        "CastLike", "Flatten", "ReverseSequence", "Trilu", "GridSample", "Dropout",
        "RotaryEmbedding", "Clip", "Pow", "CumSum", "Shrink", "ThresholdedRelu",
    ), (0,)),
    **dict.fromkeys((
        "OneHot", "Range", "ConstantOfShape", "EyeLike", "Equal", "Greater", "Less",
        "GreaterOrEqual", "LessOrEqual", "And", "Or", "Not", "Xor", "Max", "Min", "Mod",
        "TopK", "NonMaxSuppression", "RoiAlign", "MaxRoiPool", "AffineGrid", "STFT", "DFT",
        "HannWindow", "HammingWindow", "BlackmanWindow", "MelWeightMatrix",
        "NegativeLogLikelihoodLoss", "SoftmaxCrossEntropyLoss", "Compress",
        "DynamicQuantizeLinear", "IsInf", "IsNaN", "Unique", "Col2Im", "CenterCropPad",
        "RandomNormalLike", "RandomUniformLike", "Bernoulli", "Multinomial", "TensorScatter",
    ), ()),
    "com.microsoft.DynamicQuantizeMatMul": (1, 4), "com.microsoft.MatMulIntegerToFloat": (1, 6),
    "Where": (1, 2), "ScatterND": (0, 2), "ScatterElements": (0, 2), "Attention": (0, 1, 2),
}  # fmt: skip
"""Operators that also read what is never learned, and which of their inputs may be.

Limits, scales, windows, grids and masks are not. All inputs of the others may be.
"""


def weight_inputs(kind: str, count: int) -> tuple[int, ...]:
    """Return which of the `count` inputs of an operator may be learned."""
    known = HOLDING.get(kind) or READING.get(kind)
    return tuple(range(count)) if known is None else known
