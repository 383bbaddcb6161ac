"""Functions along axes: softmax, sums, sorting."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.onnx.forms.applied import Applied, Steps, form, last, single
from archscope.ops.foreign import Foreign, Tensor


@form("Softmax", "LogSoftmax")
def _softmax(applied: Applied) -> Steps:
    rank = len(applied.x.shape)
    merges = applied.operator.version < 13  # all axes from this one on are one
    axis = applied.attribute("axis", 1 if merges else -1) % rank
    name = "softmax" if applied.operator.kind == "Softmax" else "log_softmax"
    if not merges or axis == rank - 1:
        return single(applied, f"{name}.int", self=applied.x, dim=axis)
    if axis == 0:
        return ()
    flat = *applied.out[:axis], prod(applied.out[axis:])
    return (
        Foreign("aten.reshape.default", {"self": applied.x}, flat),
        Foreign(f"aten.{name}.int", {"self": last(flat), "dim": axis}, flat),
        Foreign("aten.reshape.default", {"self": last(flat)}, applied.out),
    )


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
    if applied.attribute("exclusive"):
        return ()
    target, shape = f"aten.{applied.operator.kind.lower()}.default", applied.out
    if not applied.attribute("reverse"):
        return (Foreign(target, {"self": applied.x, "dim": axis}, shape),)
    return (
        Foreign("aten.flip.default", {"self": applied.x, "dims": (axis,)}, shape),
        Foreign(target, {"self": last(shape), "dim": axis}, shape),
        Foreign("aten.flip.default", {"self": last(shape), "dims": (axis,)}, shape),
    )


@form("Hardmax")
def _hardmax(applied: Applied) -> Steps:
    """One where a value is the first of the largest along an axis, zero elsewhere."""
    if applied.operator.version < 13:  # all axes from the stated one on are one
        return ()
    axis = applied.attribute("axis", -1) % len(applied.out)
    places = *applied.out[:axis], *applied.out[axis + 1 :]
    largest = {"self": applied.x, "dim": axis, "keepdim": False}
    return (
        Foreign("aten.argmax.default", largest, places),
        *one_hot(last(places), applied.out[axis], axis),
    )


@form("OneHot")
def _one_hot(applied: Applied) -> Steps:
    (classes,), ends = applied.integers(1) or (0,), applied.array(2).tolist()
    axis = applied.attribute("axis", -1) % len(applied.out)
    return one_hot(applied.x, classes, axis) if ends == [0, 1] else ()


def one_hot(places: Tensor, classes: int, axis: int) -> Steps:
    """Return one-hot vectors along an axis of the result."""
    made = *places.shape, classes
    behind = len(places.shape)
    steps = [Foreign("aten.one_hot.default", {"self": places, "num_classes": classes}, made)]
    if axis != behind:
        order = *range(axis), behind, *range(axis, behind)
        turned = tuple(made[place] for place in order)
        steps.append(Foreign("aten.permute.default", {"self": last(made), "dims": order}, turned))
    return steps
