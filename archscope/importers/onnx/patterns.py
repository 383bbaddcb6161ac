"""Several ONNX operators that are one operator here, brought together.

Exporters write GELU, swish, channel shuffle and norms out as arithmetic. Each pattern looks at
one operator, the last of its pattern, and returns what stands for all of them.
"""

from __future__ import annotations

from collections.abc import Mapping

from archscope.importers.onnx.activations import gelu, hard_sigmoid, hard_swish, swish
from archscope.importers.onnx.data_movement import (
    kept_axes,
    one_range,
    padded,
    ranges,
    shuffle,
    strided,
)
from archscope.importers.onnx.dataflow import Found, Pattern, Web
from archscope.importers.onnx.nhwc import ALIKE, channels_first, sink, sink_sum, there_and_back
from archscope.importers.onnx.norms import group_norm, layer_norm, scale, shift, slope
from archscope.importers.onnx.products import bias, conv_bias, gemm, no_bias, product
from archscope.importers.onnx.quantization import fake_quantize
from archscope.importers.onnx.resolve import Trace
from archscope.importers.onnx.step import Step, with_

LONG: dict[str, tuple[Pattern, ...]] = {
    "Mul": (gelu, hard_swish),
    "Div": (gelu, hard_swish),
    "Add": (group_norm, layer_norm),
}
"""The patterns of many operators by the kind that ends them, sought before their parts change."""

SHORT: dict[str, tuple[Pattern, ...]] = {
    "Mul": (swish, hard_sigmoid, scale),
    "Div": (hard_sigmoid,),
    "Add": (bias, conv_bias, shift),
    "MatMul": (product,),
    "Gemm": (gemm,),
    "PRelu": (slope,),
    "Reshape": (shuffle,),
    "Gather": (strided,),
    "Split": (ranges,),
    "Slice": (one_range,),
    "ReduceMean": (kept_axes,),
    "Conv": (no_bias, padded),
    "ConvTranspose": (no_bias,),
    "DequantizeLinear": (fake_quantize,),
    "AveragePool": (padded,),
    "MaxPool": (padded,),
}
"""The patterns of few operators by the kind that ends them."""

LAST: dict[str, tuple[Pattern, ...]] = {
    **dict.fromkeys((*ALIKE, "Linear", "LayerNormalization", "Mul"), (sink,)),
    "Add": (sink_sum,),
    "Transpose": (there_and_back,),
}
"""What brings channels to the front, when all else has been said."""


def simplify(trace: Trace) -> Trace:
    """Return the trace with its patterns brought together, until none is left."""
    trace.steps = _merged(trace)
    for patterns in (LONG, SHORT, LAST):
        while _round(trace, patterns):
            pass
    channels_first(trace)
    return trace


def _round(trace: Trace, patterns: Mapping[str, tuple[Pattern, ...]]) -> bool:
    """Bring patterns together that share no operator, and return whether there were any."""
    web = Web(trace)
    steps: list[Step] = []
    dropped: set[int] = set()
    spent: set[str] = set()  # values that a pattern of this round has taken
    for step in trace.steps:
        found = None
        for pattern in patterns.get(step.kind, ()):
            found = _sought(pattern, web, step)
            if found and not any(name in spent for one in found[0] for name in one.outputs):
                break
            found = None
        if found is None:
            steps.append(step)
            continue
        old, new = found
        dropped.update(id(one) for one in old)
        spent.update(name for one in old for name in one.outputs)
        steps += new
    trace.steps = [step for step in steps if id(step) not in dropped]
    return bool(dropped)


def _sought(pattern: Pattern, web: Web, step: Step) -> Found | None:
    try:
        return pattern(web, step)
    except (ArithmeticError, LookupError, TypeError, ValueError):
        return None  # its attributes or constants are not what ONNX promises


def _merged(trace: Trace) -> list[Step]:
    """Let all readers of a quantised value read one and the same inverse of it.

    Tools that quantise write one for each reader.
    """
    first: dict[tuple[str, ...], str] = {}
    instead: dict[str, str] = {}
    steps = []
    for step in trace.steps:
        if step.kind == "DequantizeLinear" and step.outputs[0] not in trace.outputs:
            kept = first.setdefault((*step.inputs, repr(step.attributes)), step.outputs[0])
            if kept != step.outputs[0]:
                instead[step.outputs[0]] = kept
                continue
        steps.append(with_(step, inputs=tuple(instead.get(name, name) for name in step.inputs)))
    return steps
