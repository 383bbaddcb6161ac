"""Rewrite operators on channels last, as in ConvNeXt, for channels first.

A transpose is moved past the operators that follow it, each rewritten for channels first, until it
meets the inverse transpose and both cancel out.
"""

from __future__ import annotations

from msgspec.structs import replace

from archscope.importers.onnx.patterns.dataflow import (
    FLAT,
    KERNEL,
    Dataflow,
    NoMatchError,
    Replacement,
    require,
)
from archscope.importers.onnx.resolved_model import OnnxOperator, ResolvedModel

ELEMENTWISE = (
    "Relu", "Gelu", "Swish", "HardSwish", "HardSigmoid", "Sigmoid", "Tanh", "Clip", "Elu",
    "LeakyRelu", "Mish", "Softplus", "Softsign", "Identity", "Dropout", "FakeQuantize",
)  # fmt: skip
"""Element-wise operators."""


def drop_transposed_ends(model: ResolvedModel) -> None:
    """Make inputs and outputs channels first if the model only transposes them.

    TensorFlow's files do so.
    """
    flow = Dataflow(model)
    for place, name in enumerate(model.inputs):
        (transpose, *others) = flow.readers.get(name, [None])
        if transpose is None or others or name in model.outputs:
            continue
        if _is_to_first(flow, transpose):
            model.inputs[place] = transpose.outputs[0]
            model.titles[transpose.outputs[0]] = name
            model.operators.remove(transpose)
    for place, name in enumerate(model.outputs):
        transpose = None if flow.readers.get(name) else flow.producers.get(name)
        if transpose not in model.operators or model.outputs.count(name) > 1:
            continue  # also if it was the only operator between an input and this output
        if transpose and _is_to_last(flow, transpose) and transpose.inputs[0] not in model.inputs:
            model.outputs[place] = transpose.inputs[0]
            model.titles[transpose.inputs[0]] = name
            model.operators.remove(transpose)


def sink_transpose(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Move the transpose before an operator to after it."""
    transpose = _to_last(flow, operator.inputs[0])
    first = _for_channels_first(flow, operator)
    return _sunk(flow, operator, first, [transpose], first.inputs[1:])


def sink_transposes_of_sum(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Move the two transposes before a sum to after it."""
    left, right = (_to_last(flow, name) for name in operator.inputs)
    shapes = {flow.shape(name) for name in (*operator.inputs, *operator.outputs)}
    require(left is not right and len(shapes) == 1)
    return _sunk(flow, operator, operator, [left, right], right.inputs[:1])


def _sunk(
    flow: Dataflow,
    operator: OnnxOperator,
    first: OnnxOperator,
    transposes: list[OnnxOperator],
    others: tuple[str, ...],
) -> Replacement:
    """Replace transposes and an operator by its form for channels first and one transpose."""
    transpose = transposes[0]
    name, shape = f"{operator.outputs[0]}/first", flow.shape(operator.outputs[0])
    flow.model.shapes[name] = (shape[0], shape[-1], *shape[1:-1])
    first = replace(first, inputs=(transpose.inputs[0], *others), outputs=(name,))
    behind = replace(transpose, inputs=(name,), outputs=operator.outputs)
    return [*transposes, operator], [first, behind]


def cancel_transposes(flow: Dataflow, operator: OnnxOperator) -> Replacement:
    """Remove a transpose and its inverse."""
    transpose = _to_last(flow, operator.inputs[0])
    producer = flow.match(transpose.inputs[0])
    require(_is_to_first(flow, operator) and len(producer.outputs) == 1)
    return [producer, transpose, operator], [replace(producer, outputs=operator.outputs)]


def _to_last(flow: Dataflow, name: str) -> OnnxOperator:
    """Return the transpose that moves the channels of a value to the end. Raises NoMatchError."""
    transpose = flow.match(name, "Transpose")
    require(_is_to_last(flow, transpose))
    return transpose


def _is_to_last(flow: Dataflow, operator: OnnxOperator) -> bool:
    rank = len(flow.shape(operator.inputs[0])) if operator.kind == "Transpose" else 0
    return rank > 2 and operator.attributes.get("perm") == [0, *range(2, rank), 1]


def _is_to_first(flow: Dataflow, operator: OnnxOperator) -> bool:
    rank = len(flow.shape(operator.inputs[0])) if operator.kind == "Transpose" else 0
    return rank > 2 and operator.attributes.get("perm") == [0, rank - 1, *range(1, rank - 1)]


def _for_channels_first(flow: Dataflow, operator: OnnxOperator) -> OnnxOperator:
    """Return an operator for channels first, still with its first input and its output."""
    shape = flow.shape(operator.inputs[0])
    if operator.kind in ELEMENTWISE:
        return operator
    x, *names = operator.inputs
    constants = [flow.constant(name) for name in names]
    if operator.kind == "Linear":
        matrix = constants[0]
        kernel = matrix.reshape(*matrix.shape, *(1,) * (len(shape) - 2))
        inputs = (x, flow.derive(names[0], KERNEL, kernel), *names[1:])
        return replace(operator, kind="Conv", inputs=inputs)
    per_channel = all(value.size == shape[-1] == value.shape[-1] for value in constants)
    require(per_channel and flow.shape(operator.outputs[0]) == shape)
    if operator.kind == "LayerNormalization" and len(names) == 2:
        require(operator.attributes.get("axis", -1) % len(shape) == len(shape) - 1)
        return replace(operator, kind="ChannelNorm")
    if operator.kind == "Mul":
        factors = flow.derive(names[0], FLAT, constants[0].reshape(-1))
        return replace(operator, kind="Scale", inputs=(x, factors))
    raise NoMatchError
