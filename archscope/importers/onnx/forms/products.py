"""Products of matrices, and norms of rows."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.onnx.forms.applied import Applied, Chain, Steps, form, last, single
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
        row = applied.array(2)
        if row.size > 1 and row.shape[-1:] != (row.size,):  # it differs between images
            return ()
        row = row.reshape(-1)
        row = row if row.size == len(matrix) else row.repeat(len(matrix))
        bias = applied.constant(2, "times beta", beta * row)
    return single(applied, "linear.default", input=applied.x, weight=weight, bias=bias)


@form("MatMul")
def _matmul(applied: Applied) -> Steps:
    first, x = applied.x, applied.input(1)
    vectors = [place for place, tensor in enumerate((first, x)) if len(tensor.shape) == 1]
    if vectors and applied.input(vectors[0]).constant:
        return _with_vector(applied, vectors[0])
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


def _with_vector(applied: Applied, place: int) -> Steps:
    """A product of rows, or of columns if the vector is the first, with one vector."""
    chain, x = Chain(), applied.input(1 - place)
    if place == 0:
        order = *range(len(x.shape) - 2), len(x.shape) - 1, len(x.shape) - 2
        shape = tuple(x.shape[axis] for axis in order)
        x = chain.add("permute.default", shape, self=x, dims=order)
    row = applied.constant(place, "row", applied.array(place).reshape(1, -1))
    made = *x.shape[:-1], 1
    products = chain.add("linear.default", made, input=x, weight=row, bias=None)
    chain.add("reshape.default", applied.out, self=products)
    return chain.steps


@form("LayerNormalization", "RMSNormalization")
def _norm(applied: Applied) -> Steps:
    x, kind = applied.x, applied.operator.kind
    axis = applied.attribute("axis", -1) % len(x.shape)
    name = "layer_norm" if kind == "LayerNormalization" else "rms_norm"
    given = [tensor for tensor in applied.tensors[1:] if tensor is not None]
    if any(tensor.shape != x.shape[axis:] for tensor in given):
        return _norm_of_plain(applied, name, axis)
    if axis < len(x.shape) - 1:
        return _norm_of_several(applied, name, axis)
    return single(applied, f"{name}.default", input=x, normalized_shape=x.shape[axis:],
                weight=applied.given(1), bias=applied.given(2),
                eps=round_float(applied.attribute("epsilon", 1e-5)))  # fmt: skip


def _norm_of_plain(applied: Applied, name: str, axis: int) -> Steps:
    """A norm whose weights are repeated along axes: one without weights, and arithmetic."""
    chain, x, out = Chain(), applied.x, applied.out
    flat = *out[:axis], prod(out[axis:])
    if flat != out:
        x = chain.add("reshape.default", flat, self=x)
    eps = round_float(applied.attribute("epsilon", 1e-5))
    y = chain.add(f"{name}.default", flat, input=x, normalized_shape=flat[-1:], weight=None,
                  bias=None, eps=eps)  # fmt: skip
    if flat != out:
        y = chain.add("reshape.default", out, self=y)
    for target, tensor in zip(("mul.Tensor", "add.Tensor"), applied.tensors[1:], strict=False):
        if tensor is not None:
            y = chain.add(target, out, self=y, other=tensor)
    return chain.steps


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
