"""ONNX operators as operators of torch, so that the same functions recognise both."""

from __future__ import annotations

from archscope.importers.onnx.forms import (
    activations,
    arithmetic,
    attention,
    axes,
    einsum,
    indexing,
    layout,
    pools,
    products,
    recurrent,
    resizing,
    sampling,
    transforms,
)
from archscope.importers.onnx.forms.applied import FORMS, LAST, Applied, Steps

__all__ = ["LAST", "Applied", "steps_of"]

assert all((  # they register their forms
    activations, arithmetic, attention, axes, einsum, indexing, layout, pools, products, recurrent,
    resizing,
    sampling,
    transforms,
))  # fmt: skip


def steps_of(applied: Applied) -> Steps:
    """Return the torch operators that compute an ONNX operator, in order; empty if none do.

    Attributes that are not as ONNX specifies them raise what their conversion raises.
    """
    found = FORMS.get(applied.operator.kind)
    return found(applied) if found else ()
