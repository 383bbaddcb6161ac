"""Describe ONNX operators and their inputs for the recognisers of our operators."""

from __future__ import annotations

from typing import Any

from archscope.importers.onnx.resolved_model import OnnxOperator, ResolvedModel
from archscope.ops.foreign import Foreign, Tensor

MAX_VISIBLE = 64
"""Recognisers get the values of constants up to this many elements."""

INPUT_NAMES = {
    **dict.fromkeys((
        "ChannelShuffle", "Range", "Swish", "Gelu", "HardSwish", "Mish", "FakeQuantize",
        "Unshuffle", "Maxout", "Largest", "AdaptiveAveragePool", "Unfold", "MaxPoolIndices",
    ), ("X",)),
    "Unpool": ("X", "I"),
    "Distance": ("a", "b"),
    "Linear": ("X", "W", "B"),
    "BatchNormalization": ("X", "scale", "B", "input_mean", "input_var"),
    "LayerNormalization": ("X", "Scale", "B"),
    "ChannelNorm": ("X", "scale", "bias"),
    "ReduceMean": ("data",),
    "GroupNormalization": ("X", "scale", "bias"),
    "Scale": ("X", "scale", "bias"),
}  # fmt: skip
"""Names of the inputs of operators that patterns make, or that old opsets call otherwise.

Those of all others are ONNX's own.
"""


def foreign_of(operator: OnnxOperator, model: ResolvedModel) -> Foreign:
    """Return the description of an operator, whose arguments have ONNX's names.

    Its constants are learned unless the file tells that they are not.
    """
    tensors = [
        tensor_of(name, model, not model.is_fixed(name)) if name else None
        for name in operator.inputs
    ]
    args: dict[str, Any] = {}
    names = _input_names(operator)
    for place, tensor in enumerate(tensors):
        if names and place >= len(names) - 1 and names[-1].endswith("*"):
            args[names[-1][:-1]] = tuple(tensors[len(names) - 1 :])
            break
        if tensor is not None and place < len(names):
            args[names[place]] = tensor
    args.update(operator.attributes)
    return Foreign(f"onnx.{operator.kind}", args, model.shapes[operator.outputs[0]])


def tensor_of(name: str, model: ResolvedModel, learned: bool) -> Tensor:
    """Return the description of a value: of a small constant, with its numbers."""
    value = model.constants.get(name)
    if value is None:
        return Tensor(name, model.shapes[name])
    return Tensor(name, tuple(value.shape), True, numbers_of(value), learned)


def numbers_of(array: Any) -> Any:
    """Return the numbers of a small array as nested tuples, None for others."""
    small = array.size <= MAX_VISIBLE and array.dtype.kind in "fiub"
    return _tuples(array.tolist()) if small else None


def _input_names(operator: OnnxOperator) -> tuple[str, ...]:
    """Return the names of an operator's inputs; `*` marks one that takes all the rest."""
    if operator.kind in INPUT_NAMES:
        return INPUT_NAMES[operator.kind]
    import onnx

    domain, _, kind = operator.kind.rpartition(".")
    try:
        inputs = onnx.defs.get_schema(kind, operator.version, domain).inputs
    except onnx.defs.SchemaError:
        return ()
    variadic = onnx.defs.OpSchema.FormalParameterOption.Variadic
    return tuple(f"{given.name}*" if given.option == variadic else given.name for given in inputs)


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value
