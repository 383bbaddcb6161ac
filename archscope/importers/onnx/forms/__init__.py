"""ONNX operators as operators of torch, so that the same functions recognise both."""

from __future__ import annotations

from archscope.importers.onnx.forms import arithmetic, axes, layout, products, recurrent
from archscope.importers.onnx.forms.applied import FORMS, LAST, Applied, Steps

__all__ = ["LAST", "Applied", "steps_of"]

assert all((arithmetic, axes, layout, products, recurrent))  # they register their forms


def steps_of(applied: Applied) -> Steps:
    """Return the torch operators that compute an ONNX operator, in order; empty if none do.

    Attributes that are not as ONNX specifies them raise what their conversion raises.
    """
    found = FORMS.get(applied.operator.kind)
    return found(applied) if found else ()
