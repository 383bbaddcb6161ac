"""Several ONNX operators that are one operator here, brought together.

Exporters write GELU, swish, channel shuffle and norms out as arithmetic. Each pattern looks at
one operator, the last of its pattern, and returns what stands for all of them.
"""

from __future__ import annotations

from archscope.importers.onnx_activations import gelu, hard_sigmoid, hard_swish, swish
from archscope.importers.onnx_moves import kept_axes, one_range, padded, ranges, shuffle
from archscope.importers.onnx_norms import group_norm, layer_norm, scale, shift, slope
from archscope.importers.onnx_products import bias, gemm, product
from archscope.importers.onnx_trace import Step, Trace
from archscope.importers.onnx_web import Pattern, Web

PATTERNS: dict[str, tuple[Pattern, ...]] = {
    "Mul": (gelu, swish, hard_swish, hard_sigmoid, scale),
    "Div": (gelu, hard_swish, hard_sigmoid),
    "Add": (group_norm, layer_norm, bias, shift),
    "MatMul": (product,),
    "Gemm": (gemm,),
    "PRelu": (slope,),
    "Reshape": (shuffle,),
    "Split": (ranges,),
    "Slice": (one_range,),
    "ReduceMean": (kept_axes,),
    "Conv": (padded,),
    "AveragePool": (padded,),
    "MaxPool": (padded,),
}
"""The patterns by the kind of operator that ends them."""


def simplify(trace: Trace) -> Trace:
    """Return the trace with its patterns brought together, until none is left."""
    changed = True
    while changed:
        changed = False
        web = Web(trace)
        steps: list[Step] = []
        dropped: set[int] = set()
        spent: set[str] = set()  # values that a pattern of this round has taken
        for step in trace.steps:
            found = None
            for pattern in PATTERNS.get(step.kind, ()):
                found = pattern(web, step)
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
            changed = True
        trace.steps = [step for step in steps if id(step) not in dropped]
    return trace
