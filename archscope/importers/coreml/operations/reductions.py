"""Reductions of some axes."""

from __future__ import annotations

from archscope.importers.coreml.program import Program, operation

REDUCED = {
    "reduce_mean": "ReduceMean", "reduce_sum": "ReduceSum", "reduce_max": "ReduceMax",
    "reduce_min": "ReduceMin", "reduce_prod": "ReduceProd", "reduce_l1_norm": "ReduceL1",
    "reduce_l2_norm": "ReduceL2", "reduce_log_sum": "ReduceLogSum",
    "reduce_log_sum_exp": "ReduceLogSumExp", "reduce_sum_square": "ReduceSumSquare",
}  # fmt: skip
"""ONNX's reductions, by the kind of operation."""


@operation(*REDUCED)
def reduction(t: Program) -> str:
    """Write a reduction."""
    axes = [t.constant(t.integers("axes"))] if t.has("axes") else []
    kept = int(t.flag("keep_dims"))
    return str(t.op(REDUCED[t.entry.kind], t.value("x"), *axes, keepdims=kept))


@operation("reduce_argmax", "reduce_argmin")
def place(t: Program) -> str:
    """Write the place of the largest or smallest element."""
    kind = {"reduce_argmax": "ArgMax", "reduce_argmin": "ArgMin"}[t.entry.kind]
    axis, kept = t.integer("axis", -1), int(t.flag("keep_dims"))
    return str(t.op(kind, t.value("x"), axis=axis, keepdims=kept))
