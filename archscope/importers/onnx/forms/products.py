"""Products of matrices, and norms of rows."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.onnx.forms.applied import Applied, Steps, form, last, single
from archscope.ops.foreign import Foreign, round_float


@form("Linear")
def _linear(applied: Applied) -> Steps:
    """A product with constant weights, as the patterns write it."""
    return single(applied, "linear.default", input=applied.x, weight=applied.input(1),
                bias=applied.given(2))  # fmt: skip


@form("Gemm")
def _gemm(applied: Applied) -> Steps:
    """A product with constant weights and a bias, which are multiplied by factors."""
    if applied.attribute("transA"):
        return ()
    matrix = applied.array(1) if applied.attribute("transB") else applied.array(1).T
    alpha, beta = (matrix.dtype.type(applied.attribute(word, 1.0)) for word in ("alpha", "beta"))
    weight, bias = applied.constant(1, "times alpha", alpha * matrix), None
    if applied.given(2) is not None and beta:
        row = applied.array(2).reshape(-1)
        row = row if row.size == len(matrix) else row.repeat(len(matrix))
        bias = applied.constant(2, "times beta", beta * row)
    return single(applied, "linear.default", input=applied.x, weight=weight, bias=bias)


@form("MatMul")
def _matmul(applied: Applied) -> Steps:
    first, x = applied.x, applied.input(1)
    one = first.constant and prod(first.shape[:-2]) == 1 and len(x.shape) > 2
    if not one:
        return single(applied, "matmul.default", self=first, other=x)
    out, weight = applied.out, applied.array(0)
    # A matrix from the left multiplies columns, which are rows of the transposed.
    order = *range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2
    turned, made = (tuple(shape[axis] for axis in order) for shape in (x.shape, out))
    rows = applied.constant(0, "rows", weight.reshape(weight.shape[-2:]))
    return (
        Foreign("aten.permute.default", {"self": x, "dims": order}, turned),
        Foreign("aten.linear.default", {"input": last(turned), "weight": rows, "bias": None}, made),
        Foreign("aten.permute.default", {"self": last(made), "dims": order}, out),
    )


@form("Einsum")
def _einsum(applied: Applied) -> Steps:
    equation = applied.attribute("equation").replace(" ", "")
    if [tensor.constant for tensor in applied.tensors if tensor] == [False, True]:
        return _product_along_axis(applied, equation)
    return single(applied, "einsum.default", equation=equation, tensors=applied.tensors)


def _product_along_axis(applied: Applied, equation: str) -> Steps:
    """A product of one axis with a constant matrix: `bchw,oc->bohw`."""
    terms, _, result = equation.partition("->")
    x, _, matrix = terms.partition(",")
    (gone,), (new,) = {*x} & {*matrix}, {*matrix} - {*x}
    rows = x.replace(gone, "")
    if len(matrix) != 2 or gone in result or sorted(result) != sorted(rows + new):
        return ()
    weight = applied.array(1) if matrix == new + gone else applied.array(1).T
    order, back = [x.index(axis) for axis in rows + gone], [*map((rows + new).index, result)]
    taken = tuple(applied.x.shape[axis] for axis in order)
    made = *taken[:-1], len(weight)
    words = {"input": last(taken), "weight": applied.constant(1, "rows", weight), "bias": None}
    return (
        Foreign("aten.permute.default", {"self": applied.x, "dims": order}, taken),
        Foreign("aten.linear.default", words, made),
        Foreign("aten.permute.default", {"self": last(made), "dims": back}, applied.out),
    )


@form("LayerNormalization", "RMSNormalization")
def _norm(applied: Applied) -> Steps:
    x, kind = applied.x, applied.operator.kind
    axis = applied.attribute("axis", -1) % len(x.shape)
    name = "layer_norm" if kind == "LayerNormalization" else "rms_norm"
    if axis < len(x.shape) - 1:
        return _norm_of_several(applied, name, axis)
    return single(applied, f"{name}.default", input=x, normalized_shape=x.shape[axis:],
                weight=applied.given(1), bias=applied.given(2),
                eps=round_float(applied.attribute("epsilon", 1e-5)))  # fmt: skip


def _norm_of_several(applied: Applied, name: str, axis: int) -> Steps:
    """A norm of rows of all values along several axes."""
    shape = applied.out
    flat = *shape[:axis], prod(shape[axis:])
    words: dict[str, Any] = {"weight": None, "bias": None}
    for place, word in enumerate(words, 1):
        if applied.given(place) is not None:
            words[word] = applied.constant(place, "in a row", applied.array(place).reshape(-1))
    words |= {"normalized_shape": flat[-1:], "eps": round_float(applied.attribute("epsilon", 1e-5))}
    return (
        Foreign("aten.reshape.default", {"self": applied.x}, flat),
        Foreign(f"aten.{name}.default", {"input": last(flat), **words}, flat),
        Foreign("aten.reshape.default", {"self": last(flat)}, shape),
    )


@form("BatchNormalization")
def _batch_norm(applied: Applied) -> Steps:
    """A norm of vectors whose positions are merged into the batch."""
    words = ("weight", "bias", "running_mean", "running_var")
    given = {word: applied.given(place) for place, word in enumerate(words, 1)}
    if applied.attribute("training_mode"):
        return ()
    return single(applied, "batch_norm.default", input=applied.x, **given, training=False,
                  momentum=0.1, eps=round_float(applied.attribute("epsilon", 1e-5)))  # fmt: skip
