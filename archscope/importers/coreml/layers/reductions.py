"""Reductions of some axes."""

from __future__ import annotations

from archscope.importers.coreml.activations import line
from archscope.importers.coreml.neural_network import NeuralNetwork, layer
from archscope.importers.onnx.operator_writer import FLOAT

REDUCED = {
    "reduceL1": "ReduceL1", "reduceL2": "ReduceL2", "reduceMax": "ReduceMax",
    "reduceMin": "ReduceMin", "reduceSum": "ReduceSum", "reduceProd": "ReduceProd",
    "reduceMean": "ReduceMean", "reduceLogSum": "ReduceLogSum",
    "reduceSumSquare": "ReduceSumSquare", "reduceLogSumExp": "ReduceLogSumExp",
}  # fmt: skip
"""ONNX's reductions, by the kind of layer."""

MODES = ("ReduceSum", "ReduceMean", "ReduceProd", "", "ReduceSumSquare", "ReduceL1", "ReduceL2",
         "ReduceMax", "ReduceMin", "ArgMax")  # fmt: skip
LOG_SUM, ARG_MAX = 3, 9
AXES = ([-3, -2, -1], [-2, -1], [-3], [-2], [-1])


@layer("reduce")
def reduction(t: NeuralNetwork) -> str:
    """Write a reduction of channels or positions."""
    s = t.settings
    x, axes, mode = t.whole(), AXES[s.integer("axis")], s.integer("mode")
    if mode == ARG_MAX:
        return str(t.op("Cast", t.op("ArgMax", x, axis=axes[0], keepdims=1), to=FLOAT))
    places = t.constant([axis + t.rank(x) for axis in axes])
    if mode == LOG_SUM:  # the sum of logarithms
        return str(t.op("ReduceSum", t.op("Log", line(t, x, 1, s.number("epsilon", 1e-6))), places))
    return str(t.op(MODES[mode], x, places, keepdims=1))


@layer(*REDUCED)
def reduction_of_axes(t: NeuralNetwork) -> str:
    """Write a reduction."""
    s = t.settings
    x = t.whole()
    axes = [] if s.flag("reduceAll") else [t.constant(t.axes("axes"))]
    return str(t.op(REDUCED[t.layer.kind], x, *axes, keepdims=int(s.flag("keepDims"))))


@layer("argMax", "argMin")
def place(t: NeuralNetwork) -> str:
    """Write the place of the largest or smallest element."""
    s = t.settings
    kind = {"argMax": "ArgMax", "argMin": "ArgMin"}[t.layer.kind]
    kept = int(not s.flag("removeDim"))
    found = t.op(kind, t.whole(), axis=t.axis(s.integer("axis")), keepdims=kept)
    return str(t.op("Cast", found, to=FLOAT))


@layer("cumSum")
def cumulative_sum(t: NeuralNetwork) -> str:
    """Write sums of all elements up to each."""
    s = t.settings
    axis = t.constant(t.axis(s.integer("axis")))
    exclusive, reverse = int(s.flag("excludeFinalSum")), int(s.flag("reverse"))
    return str(t.op("CumSum", t.whole(), axis, exclusive=exclusive, reverse=reverse))


@layer("topK")
def top(t: NeuralNetwork) -> list[str]:
    """Write the largest or smallest elements and their places."""
    s = t.settings
    k = t.constant([s.integer("K", 1)])
    values, places = t.op(
        "TopK", t.whole(), k, outputs=2, axis=t.axis(s.integer("axis")),
        largest=int(not s.flag("useBottomK")),
    )  # fmt: skip
    return [values, str(t.op("Cast", places, to=FLOAT))]
