"""Operators of TensorFlow Lite that reduce axes, add up along them, or multiply matrices."""

from __future__ import annotations

from string import ascii_lowercase
from typing import Any

from archscope.importers.tflite.conversion import Constant, Conversion, Unsupported, Value
from archscope.importers.tflite.model_file import TfliteOperator
from archscope.importers.tflite.shapes import reshaped

REDUCED = {"MEAN": "mean", "SUM": "sum", "REDUCE_MAX": "max", "REDUCE_MIN": "min"}


def reduce(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add the mean, sum, maximum or minimum over axes."""
    value, node, title = net.value(op), net.node(op), net.title(op)
    shape = net.file_shape(value)
    axes = {axis % len(shape) for axis in net.integers(op, 1)}
    ours = sorted(net.axis(op, value, axis) for axis in axes)
    if not ours:
        return [value]
    function, rank = REDUCED[op.kind], len(net.shape(node))
    if ours == [*range(1, rank)] and function in ("mean", "max"):
        word = "global_avgpool" if function == "mean" else "global_maxpool"
        made = net.add(title, word, node)
    else:
        made = net.add(title, "reduce", node, function=function, axes=tuple(ours), keep=True)
    kept = Value(made, batched=value.batched)
    if op.option("KeepDims", False):
        return [kept]
    left = tuple(side for axis, side in enumerate(shape) if axis not in axes)
    return [reshaped(net, op, kept, left)]


def cumsum(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add the cumulative sum along an axis."""
    if op.option("Exclusive", False) or op.option("Reverse", False):
        raise Unsupported(products=0)
    value = net.value(op)
    (axis,) = net.integers(op, 1)
    node = net.add(net.title(op), "cumsum", net.node(op), axis=net.axis(op, value, axis))
    return [Value(node, batched=value.batched)]


def batch_matmul(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add a matrix product, of two values or of a value and a constant."""
    weight = net.constant(op, 1)
    turned = op.option("AdjX", False), op.option("AdjY", False)
    value, title = net.value(op), net.title(op)
    if weight is not None:
        return [_with_matrix(net, op, weight, *turned)]
    other = net.value(op, 1)
    nodes = [net.node(op, 0), net.node(op, 1)]
    shapes = [net.file_shape(given) for given in (value, other)]
    ranks = {len(shape) - given.batched for shape, given in zip(shapes, (value, other),
                                                               strict=True)}  # fmt: skip
    rank = ranks.pop()
    if ranks or value.batched != other.batched or not 2 <= rank <= 5:
        raise Unsupported
    outer, (m, k, n) = ascii_lowercase[: rank - 2], "xyz"
    terms = [
        outer + (k + m if turned[0] else m + k),
        outer + (n + k if turned[1] else k + n),
        outer + m + n,
    ]
    first, second, result = (term[-1] + term[:-1] for term in terms)
    made = net.add(title, "einsum", *nodes, equation=f"{first},{second}->{result}")
    return [Value(made, batched=value.batched)]


def _with_matrix(
    net: Conversion, op: TfliteOperator, weight: Constant, turned: bool, stored_turned: bool
) -> Value:  # fmt: skip
    value, node = net.value(op), net.node(op)
    channels, *sizes = net.shape(node)
    if turned or len(weight.shape) != 2 or not 1 <= len(sizes) <= 3:
        raise Unsupported
    out, inner = weight.shape if stored_turned else weight.shape[::-1]
    if inner != channels:
        raise net.error(op, f"has a matrix for {inner} values, its input has {channels}")
    made = net.add(net.title(op), "conv", node, out=out, bias=False)

    def layout(array: Any) -> Any:
        rows = array if stored_turned else array.T
        return rows.reshape(out, inner, *(1,) * len(sizes))

    net.hold(made, weight=(weight, layout))
    return Value(made, batched=value.batched)
