"""Pairs of quantization and its inverse, which quantized ONNX files put between operators."""

from __future__ import annotations

from msgspec.structs import replace

from archscope.importers.onnx.operators import OnnxOperator
from archscope.importers.onnx.patterns.dataflow import Dataflow, NoMatchError, Replacement, fuse
from archscope.importers.onnx.resolve import ResolvedModel

RANGES = {"i1": (-128, 256), "u1": (0, 256), "i2": (-32768, 65536), "u2": (0, 65536)}
"""The lowest number and the count of numbers, for the integer types that numpy has."""


def fake_quantize(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a quantization and its inverse that have one scale and zero for all channels."""
    quantize = flow.match(operator.inputs[0], "QuantizeLinear")
    parameters = []
    for name, inverse in zip(quantize.inputs[1:], operator.inputs[1:], strict=True):
        value, other = flow.constant(name), flow.constant(inverse)
        if value.size != 1 or value.dtype != other.dtype or value != other:
            raise NoMatchError
        parameters.append(value.reshape(()))
    scale, *zeros = parameters
    dtype = zeros[0].dtype.str[1:] if zeros else "u1"
    if dtype not in RANGES or any(
        half.attributes.get("output_dtype") for half in (quantize, operator)
    ):
        raise NoMatchError
    low, levels = RANGES[dtype]
    return fuse(
        [quantize, operator],
        "FakeQuantize",
        quantize.inputs[:1],
        scale=float(scale),
        zero=(int(zeros[0]) if zeros else 0) - low,
        levels=levels,
    )


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
