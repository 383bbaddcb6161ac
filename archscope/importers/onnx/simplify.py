"""Apply the patterns of ONNX operators to a model."""

from __future__ import annotations

from collections.abc import Mapping

from archscope.importers.onnx.patterns import (
    affine,
    channels_last,
    data_movement,
    decomposed,
    quantization,
    unpooling,
)
from archscope.importers.onnx.patterns.dataflow import Dataflow, Pattern, Replacement
from archscope.importers.onnx.resolved_model import OnnxOperator, ResolvedModel, needed

Patterns = Mapping[str, tuple[Pattern, ...]]
"""Patterns by the type of their last operator, in the order in which they are tried."""

LONG: Patterns = {
    "Mul": (decomposed.gelu, decomposed.hard_swish),
    "Div": (decomposed.gelu, decomposed.hard_swish),
    "Add": (decomposed.group_norm, decomposed.layer_norm),
}
"""Patterns of many operators, applied before shorter patterns change their parts."""

SHORT: Patterns = {
    "Mul": (decomposed.swish, decomposed.hard_sigmoid, affine.channel_scale),
    "Div": (decomposed.hard_sigmoid,),
    "Add": (affine.linear_bias, affine.conv_bias, affine.channel_shift),
    "MatMul": (affine.matmul,),
    "Gemm": (affine.gemm,),
    "PRelu": (affine.prelu_slopes,),
    "Reshape": (
        affine.linear_of_merged,
        data_movement.channel_shuffle,
        data_movement.unshuffle,
        decomposed.pooled_channels,
        decomposed.adaptive_mean,
        unpooling.scattered,
    ),
    "Mod": (unpooling.remainder,),
    "Sub": (unpooling.less_first,),
    "MaxUnpool": (unpooling.unpool,),
    **dict.fromkeys(("LSTM", "GRU", "RNN"), (data_movement.whole_sequences,)),
    "ReduceL1": (decomposed.distance,),
    "ReduceL2": (decomposed.distance,),
    "ReduceMax": (decomposed.maxout,),
    "ScatterElements": (decomposed.largest,),
    "Gather": (data_movement.gather_everything,),
    "Split": (data_movement.split,),
    "Slice": (data_movement.slice_of_one_axis,),
    "ReduceMean": (data_movement.mean_without_axes,),
    "Conv": (affine.zero_bias, data_movement.padding, data_movement.windows),
    "ConvTranspose": (affine.zero_bias,),
    "DequantizeLinear": (quantization.fake_quantize,),
    "AveragePool": (data_movement.padding, data_movement.mean_of_all),
    "Softmax": (decomposed.softmax_of_rows,),
    "MaxPool": (data_movement.padding,),
}
"""Patterns of few operators."""

CHANNELS_FIRST: Patterns = {
    **dict.fromkeys(
        (*channels_last.ELEMENTWISE, "Linear", "LayerNormalization", "Mul"),
        (channels_last.sink_transpose,),
    ),
    "Add": (channels_last.sink_transposes_of_sum,),
    "Transpose": (channels_last.cancel_transposes,),
}
"""Patterns that make channels the first axis, applied last."""


VISITS, MOST_PASSES = 200_000, 16
"""The maximum number of operators tried for patterns; the rest stays as in the file."""


def simplify(model: ResolvedModel) -> ResolvedModel:
    """Return the model with its patterns replaced until none is left."""
    model.operators = quantization.move_real_numbers(model)
    model.operators = quantization.share_inverses(model)
    visits = max(VISITS, MOST_PASSES * len(model.operators))
    for patterns in (LONG, SHORT, CHANNELS_FIRST):
        while visits > 0 and _replace_once(model, patterns):
            visits -= len(model.operators)
    channels_last.drop_transposed_ends(model)
    model.operators = needed(model.operators, model.outputs)
    return model


def _replace_once(model: ResolvedModel, patterns: Patterns) -> bool:
    """Replace patterns that share no operator, and return whether there were any."""
    flow = Dataflow(model)
    operators: list[OnnxOperator] = []
    replaced: set[int] = set()
    absorbed: set[str] = set()  # values of operators that this round has replaced
    for operator in model.operators:
        for pattern in patterns.get(operator.kind, ()):
            old, new = _match(pattern, flow, operator)
            values = {name for part in old for name in part.outputs}
            if old and not values & absorbed:
                replaced.update(map(id, old))
                absorbed |= values
                operators += new
                break
        else:
            operators.append(operator)
    model.operators = [operator for operator in operators if id(operator) not in replaced]
    return bool(replaced)


def _match(pattern: Pattern, flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Return the replacement of a pattern, empty if it does not match."""
    try:
        return pattern(flow, operator)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return [], []  # no match, or attributes and constants that are not as ONNX specifies them
