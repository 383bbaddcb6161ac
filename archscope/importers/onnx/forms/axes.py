"""Functions along axes: softmax, sums, sorting."""

from __future__ import annotations

from typing import Any

from archscope.importers.onnx.forms.applied import Applied, Steps, form, last, single
from archscope.ops.foreign import Foreign


@form("Softmax", "LogSoftmax")
def _softmax(applied: Applied) -> Steps:
    rank = len(applied.x.shape)
    merges = applied.operator.version < 13  # all axes from this one on are one
    axis = applied.attribute("axis", 1 if merges else -1) % rank
    if merges and axis != rank - 1:
        return ()
    name = "softmax" if applied.operator.kind == "Softmax" else "log_softmax"
    return single(applied, f"{name}.int", self=applied.x, dim=axis)


REDUCED = {
    "ReduceMean": "mean.dim", "ReduceSum": "sum.dim_IntList", "ReduceMax": "amax.default",
    "ReduceMin": "amin.default", "ReduceLogSumExp": "logsumexp.default",
    "ReduceProd": "prod.dim_int", "ReduceL1": "linalg_vector_norm.default",
    "ReduceL2": "linalg_vector_norm.default",
}  # fmt: skip


@form(*REDUCED, "ReduceSumSquare", "ReduceLogSum")
def _reduced(applied: Applied) -> Steps:
    axes = applied.integers(1, "axes")
    if not axes and applied.attribute("noop_with_empty_axes"):
        return single(applied, "alias.default", self=applied.x)
    kind, x = applied.operator.kind, applied.x
    words: dict[str, Any] = {
        "dim": axes or tuple(range(len(x.shape))), "keepdim": bool(applied.attribute("keepdims", 1))
    }  # fmt: skip
    if kind == "ReduceSumSquare":
        square = Foreign("aten.pow.Tensor_Scalar", {"self": x, "exponent": 2}, x.shape)
        total = {"self": last(x.shape), **words}
        return square, Foreign("aten.sum.dim_IntList", total, applied.out)
    if kind == "ReduceLogSum":
        total = {"self": x, **words}
        log = {"self": last(applied.out)}
        return (
            Foreign("aten.sum.dim_IntList", total, applied.out),
            Foreign("aten.log.default", log, applied.out),
        )
    if kind in ("ReduceL1", "ReduceL2"):
        words["ord"] = int(kind[-1])
    if kind == "ReduceProd":
        if len(words["dim"]) != 1:
            return ()
        words["dim"] = words["dim"][0]
    return single(applied, REDUCED[kind], self=x, **words)


@form("ArgMax", "ArgMin")
def _places(applied: Applied) -> Steps:
    if applied.attribute("select_last_index"):
        return ()
    name = applied.operator.kind.lower()
    return single(applied, f"{name}.default", self=applied.x, dim=applied.attribute("axis", 0),
                keepdim=bool(applied.attribute("keepdims", 1)))  # fmt: skip


@form("TopK")
def _top(applied: Applied) -> Steps:
    (k,) = applied.integers(1) or (applied.attribute("k"),)
    return single(applied, "topk.default", self=applied.x, k=k, dim=applied.attribute("axis", -1),
                largest=bool(applied.attribute("largest", 1)), result=applied.place)  # fmt: skip


@form("CumSum", "CumProd")
def _cumulative(applied: Applied) -> Steps:
    (axis,) = applied.integers(1) or (0,)
    if applied.attribute("exclusive") or applied.attribute("reverse"):
        return ()
    return single(applied, f"{applied.operator.kind.lower()}.default", self=applied.x, dim=axis)
