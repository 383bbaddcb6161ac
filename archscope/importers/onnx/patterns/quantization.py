"""Pairs of quantization and its inverse, which quantized ONNX files put between operators."""

from __future__ import annotations

from msgspec.structs import replace

from archscope.importers.onnx.patterns.dataflow import Dataflow, Replacement, fuse, require
from archscope.importers.onnx.resolved_model import OnnxOperator, ResolvedModel, needed

RANGES = {"i1": (-128, 256), "u1": (0, 256), "i2": (-32768, 65536), "u2": (0, 65536)}
"""The lowest value and the number of values of each integer type."""


def fake_quantize(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Match a quantization and its inverse with a single scale and zero point for all channels."""
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


MOVING = frozenset({
    "MaxPool", "Reshape", "Flatten", "Transpose", "Squeeze", "Unsqueeze", "Slice", "Identity",
    "Gather", "Split", "DepthToSpace", "SpaceToDepth", "Expand", "Tile", "Range",
})  # fmt: skip
"""Operators that only move values of their first input, so that dequantization may come first."""


def move_real_numbers(model: ResolvedModel) -> list[OnnxOperator]:
    """Return the operators with those that move quantized values moved after dequantization.

    Quantized files pool and reshape bytes.
    """
    scales: dict[str, tuple[str, ...]] = {}  # of quantized values, and their zeros
    real: dict[str, str] = {}  # the dequantized value of each
    same: dict[str, str] = {}
    operators: list[OnnxOperator] = []
    for operator in model.operators:
        operator = replace(operator, inputs=tuple(same.get(name, name) for name in operator.inputs))
        first = operator.inputs[0] if operator.inputs else ""
        if operator.kind == "QuantizeLinear":
            scales[operator.outputs[0]] = operator.inputs[1:]
        elif operator.kind in MOVING and first in scales and _is_single(model, scales[first]):
            if first not in real:
                real[first] = f"{first}/real"
                model.shapes[real[first]] = model.shapes[first]
                operators.append(
                    replace(
                        operator, kind="DequantizeLinear", name="", attributes={},
                        inputs=(first, *scales[first]), outputs=(real[first],),
                    )
                )  # fmt: skip
            outputs = tuple(name and f"{name}/real" for name in operator.outputs)
            for name, value in zip(operator.outputs, outputs, strict=True):
                if name:
                    scales[name], real[name] = scales[first], value
                    model.shapes[value] = model.shapes[name]
            inputs = (real[first], *operator.inputs[1:])
            operators.append(replace(operator, inputs=inputs, outputs=outputs))
        elif (
            operator.kind == "DequantizeLinear"
            and first in real
            and operator.outputs[0] not in model.outputs
            and _equal(model, operator.inputs[1:], scales[first])
        ):
            same[operator.outputs[0]] = real[first]
            continue
        operators.append(operator)
    return needed(operators, model.outputs)


def _is_single(model: ResolvedModel, names: tuple[str, ...]) -> bool:
    """Return whether a scale and zero point are constants for all channels."""
    values = [model.constants.get(name) for name in names if name]
    return all(value is not None and value.size == 1 for value in values)


def _equal(model: ResolvedModel, names: tuple[str, ...], others: tuple[str, ...]) -> bool:
    """Return whether scales and zeros of all channels are equal."""
    if not (_is_single(model, names) and _is_single(model, others) and len(names) == len(others)):
        return False
    pairs = zip(names, others, strict=True)
    return all(
        bool(model.constants[name].reshape(()) == model.constants[other].reshape(()))
        for name, other in pairs
        if name and other
    )
