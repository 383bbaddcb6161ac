"""Functions along axes: softmax, sums, sorting."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from archscope.importers.onnx.forms.applied import Applied, Chain, Steps, form, last, single
from archscope.importers.onnx.forms.arithmetic import times
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


OF_ONE = {
    "ReduceL1": "abs.default", "ReduceL2": "abs.default", "ReduceLogSum": "log.default",
    "ReduceSumSquare": "pow.Tensor_Scalar",
}  # fmt: skip
"""What reductions without axes make of each number, if they change it."""


@form(*REDUCED, "ReduceSumSquare", "ReduceLogSum")
def _reduced(applied: Applied) -> Steps:
    axes = applied.integers(1, "axes")
    kind, x = applied.operator.kind, applied.x
    if not axes and applied.attribute("noop_with_empty_axes"):
        exponent = {"exponent": 2} if kind == "ReduceSumSquare" else {}
        return single(applied, OF_ONE.get(kind, "alias.default"), self=x, **exponent)
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
        return _product(applied, words["dim"], words["keepdim"])
    return single(applied, REDUCED[kind], self=x, **words)


def _product(applied: Applied, axes: Sequence[int], keep: bool) -> Steps:
    """Multiply along one axis after another, the last first."""
    chain, x = Chain(), applied.x
    for axis in sorted((axis % len(x.shape) for axis in axes), reverse=True):
        shape = *x.shape[:axis], *((1,) if keep else ()), *x.shape[axis + 1 :]
        x = chain.add("prod.dim_int", shape, self=x, dim=axis, keepdim=keep)
    return chain.steps


@form("ArgMax", "ArgMin")
def _places(applied: Applied) -> Steps:
    chain, x, axis = Chain(), applied.x, applied.attribute("axis", 0)
    name, behind = applied.operator.kind.lower(), bool(applied.attribute("select_last_index"))
    if behind:
        x = chain.add("flip.default", x.shape, self=x, dims=(axis,))
    place = chain.add(f"{name}.default", applied.out, self=x, dim=axis,
                      keepdim=bool(applied.attribute("keepdims", 1)))  # fmt: skip
    if behind:
        most = x.shape[axis] - 1
        chain.add("rsub.Scalar", applied.out, self=place, other=most)
    return chain.steps


@form("TopK")
def _top(applied: Applied) -> Steps:
    (k,) = applied.integers(1) or (applied.attribute("k"),)
    return single(applied, "topk.default", self=applied.x, k=k, dim=applied.attribute("axis", -1),
                largest=bool(applied.attribute("largest", 1)), result=applied.place)  # fmt: skip


@form("CumSum", "CumProd")
def _cumulative(applied: Applied) -> Steps:
    """Sums or products of all values up to each, or without itself: of those before it."""
    (axis,) = applied.integers(1) or (0,)
    chain, x, shape = Chain(), applied.x, applied.out
    if applied.attribute("reverse"):
        x = chain.add("flip.default", shape, self=x, dims=(axis,))
    if applied.attribute("exclusive"):
        start = float(applied.operator.kind == "CumProd")
        pairs = [(1, -1) if at == axis % len(shape) else (0, 0) for at in range(len(shape))]
        x = chain.add("pad.default", shape, self=x, pad=tuple(n for at in pairs[::-1] for n in at),
                      mode="constant", value=start)  # fmt: skip
    x = chain.add(f"{applied.operator.kind.lower()}.default", shape, self=x, dim=axis)
    if applied.attribute("reverse"):
        chain.add("flip.default", shape, self=x, dims=(axis,))
    return chain.steps


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
    axis, (off, on) = applied.attribute("axis", -1) % len(applied.out), ends
    steps = [*one_hot(applied.x, classes, axis)]
    if on - off != 1:
        steps.append(times(last(applied.out), on - off, applied.out))
    if off:
        steps.append(
            Foreign("aten.add.Scalar", {"self": last(applied.out), "other": off}, applied.out)
        )
    return steps


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
