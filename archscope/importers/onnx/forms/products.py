"""Products of matrices, and norms of rows."""

from __future__ import annotations

from archscope.importers.onnx.forms.applied import Applied, Steps, form, single
from archscope.ops.foreign import round_float


@form("Linear")
def _linear(applied: Applied) -> Steps:
    """A product with constant weights, as the patterns write it."""
    return single(applied, "linear.default", input=applied.x, weight=applied.input(1),
                bias=applied.given(2))  # fmt: skip


@form("MatMul")
def _matmul(applied: Applied) -> Steps:
    return single(applied, "matmul.default", self=applied.x, other=applied.input(1))


@form("Einsum")
def _einsum(applied: Applied) -> Steps:
    equation = applied.attribute("equation")
    return single(applied, "einsum.default", equation=equation, tensors=applied.tensors)


@form("LayerNormalization", "RMSNormalization")
def _norm(applied: Applied) -> Steps:
    x, kind = applied.x, applied.operator.kind
    axis = applied.attribute("axis", -1) % len(x.shape)
    name = "layer_norm" if kind == "LayerNormalization" else "rms_norm"
    return single(applied, f"{name}.default", input=x, normalized_shape=x.shape[axis:],
                weight=applied.given(1), bias=applied.given(2),
                eps=round_float(applied.attribute("epsilon", 1e-5)))  # fmt: skip


@form("BatchNormalization")
def _batch_norm(applied: Applied) -> Steps:
    """A norm of vectors whose positions are merged into the batch."""
    words = ("weight", "bias", "running_mean", "running_var")
    given = {word: applied.given(place) for place, word in enumerate(words, 1)}
    if applied.attribute("training_mode"):
        return ()
    return single(applied, "batch_norm.default", input=applied.x, **given, training=False,
                  momentum=0.1, eps=round_float(applied.attribute("epsilon", 1e-5)))  # fmt: skip
