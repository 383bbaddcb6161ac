"""Pairs of quantization and its inverse, which quantized ONNX files put between operators."""

from __future__ import annotations

from msgspec.structs import replace

from archscope.importers.onnx.patterns.dataflow import Dataflow, Replacement, fuse, require
from archscope.importers.onnx.resolve import OnnxOperator, ResolvedModel

RANGES = {"i1": (-128, 256), "u1": (0, 256), "i2": (-32768, 65536), "u2": (0, 65536)}
"""The lowest number and the count of numbers, for the integer types that numpy has."""


def fake_quantize(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a quantization and its inverse that have one scale and zero for all channels."""
    quantize = flow.match(operator.inputs[0], "QuantizeLinear")
    parameters = []
    for name, inverse in zip(quantize.inputs[1:], operator.inputs[1:], strict=True):
        value, other = flow.constant(name), flow.constant(inverse)
        require(value.size == 1 and value.dtype == other.dtype and bool(value == other))
        parameters.append(value.reshape(()))
    scale, *zeros = parameters
    dtype = zeros[0].dtype.str[1:] if zeros else "u1"
    parts = [quantize, operator]
    require(dtype in RANGES and not any(part.attributes.get("output_dtype") for part in parts))
    low, levels = RANGES[dtype]
    zero = (int(zeros[0]) if zeros else 0) - low
    inputs = quantize.inputs[:1]
    return fuse(parts, "FakeQuantize", inputs, scale=float(scale), zero=zero, levels=levels)


def share_inverses(model: ResolvedModel) -> list[OnnxOperator]:
    """Return the operators with one inverse of each quantized value, which all its readers share.

    Tools that quantize write one for each reader.
    """
    first: dict[tuple[str, ...], str] = {}
    same: dict[str, str] = {}
    operators = []
    for operator in model.operators:
        if operator.kind == "DequantizeLinear" and operator.outputs[0] not in model.outputs:
            key = (*operator.inputs, repr(operator.attributes))
            kept = first.setdefault(key, operator.outputs[0])
            if kept != operator.outputs[0]:
                same[operator.outputs[0]] = kept
                continue
        inputs = tuple(same.get(name, name) for name in operator.inputs)
        operators.append(replace(operator, inputs=inputs))
    return operators
