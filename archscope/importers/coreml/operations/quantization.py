"""Rounding to the levels of quantized networks."""

from __future__ import annotations

from archscope.importers.coreml.program import Program, operation
from archscope.importers.coreml.stored import TYPES

QUANTIZED = {"int8": 3, "uint8": 2}
"""ONNX's types of quantized numbers."""


@operation("quantize")
def quantize(t: Program) -> str:
    """Write rounding to whole numbers."""
    element = QUANTIZED[t.word("output_dtype")]
    return _scaled(t, "QuantizeLinear", t.value("input"), element)


@operation("dequantize")
def dequantize(t: Program) -> str:
    """Write whole numbers as real ones."""
    x = t.value("input")
    return _scaled(t, "DequantizeLinear", x, t.element(x))


def _scaled(t: Program, kind: str, x: str, element: int) -> str:
    scale = t.constant(t.array("scale"), TYPES[11].numpy)
    zero = t.value("zero_point") if t.has("zero_point") else _no_zero(t, scale, element)
    axis = t.integer("axis") if t.rank(scale) else None
    return str(t.op(kind, x, scale, zero, axis=axis))


def _no_zero(t: Program, scale: str, element: int) -> str:
    import numpy

    kind = t.onnx.helper.tensor_dtype_to_np_dtype(element)
    return t.constant(numpy.zeros(t.dims(scale)), kind)
