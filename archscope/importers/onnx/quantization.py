"""Pairs of quantisation and its inverse, which quantised ONNX files put between operators."""

from __future__ import annotations

from archscope.importers.onnx.dataflow import Found, Web, one
from archscope.importers.onnx.step import Step

BITS = {"i1": (-128, 256), "u1": (0, 256), "i2": (-32768, 65536), "u2": (0, 65536)}
"""The lowest number and how many there are, for the types that numpy has."""


def fake_quantize(web: Web, step: Step) -> Found | None:
    """Find a quantisation that its inverse follows, by one scale and zero for all channels."""
    quantize = web.inner(step.inputs[0], "QuantizeLinear")
    if quantize is None or len(quantize.inputs) != len(step.inputs):
        return None
    constants = web.trace.constants
    pairs = list(zip(quantize.inputs[1:], step.inputs[1:], strict=True))
    values = [(constants.get(a), constants.get(b)) for a, b in pairs]
    if any(
        a is None or b is None or a.size != 1 or a.dtype != b.dtype or a != b for a, b in values
    ):
        return None
    (scale, _), *zeros = values
    assert scale is not None
    zero = zeros[0][0] if zeros else None
    kind = zero.dtype.str[1:] if zero is not None else "u1"
    if kind not in BITS or any(one.attributes.get("output_dtype") for one in (quantize, step)):
        return None
    low, levels = BITS[kind]
    words = {
        "scale": float(scale.reshape(())),
        "zero": (int(zero.reshape(())) if zero is not None else 0) - low,
        "levels": levels,
    }
    return one([quantize, step], "FakeQuantize", quantize.inputs[:1], **words)
