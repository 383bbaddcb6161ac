"""Convert a TensorFlow Lite model to a graph, with its weights as real values."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from pathlib import Path
from typing import Any

from msgspec import structs

from archscope.errors import ArchscopeError, DataError
from archscope.importers.file_graph import MOST_ELEMENTS, FileGraph, named, sizes_of
from archscope.importers.formats import Imported, Inputs
from archscope.importers.names import take_name
from archscope.importers.tflite import parts, pointwise, shapes, sums, windows
from archscope.importers.tflite.conversion import Constant, Conversion, Unsupported, Value, title_of
from archscope.importers.tflite.model_file import TfliteModel, TfliteOperator, read, whole
from archscope.ir import Shape, text_of

Layer = Callable[[Conversion, TfliteOperator], Sequence[Value | None]]
"""Adds an operator and returns its results, None for those without readers."""

LAYERS: dict[str, Layer] = {
    **dict.fromkeys(pointwise.PLAIN, pointwise.plain),
    **dict.fromkeys(pointwise.BOTH, pointwise.binary),
    **dict.fromkeys(("LEAKY_RELU", "GELU", "SOFTMAX", "LOCAL_RESPONSE_NORMALIZATION"),
                    pointwise.parametrised),
    "PRELU": pointwise.prelu, "ADD_N": pointwise.total,
    **dict.fromkeys(("CONV_2D", "DEPTHWISE_CONV_2D", "CONV_3D"), windows.convolution),
    "TRANSPOSE_CONV": windows.transposed, "FULLY_CONNECTED": windows.fully_connected,
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "L2_POOL_2D"), windows.pooling),
    "SPACE_TO_BATCH_ND": windows.to_blocks,
    "RESHAPE": shapes.reshape, "SQUEEZE": shapes.squeeze, "EXPAND_DIMS": shapes.expand_dims,
    "TRANSPOSE": shapes.transpose, "CONCATENATION": parts.concatenation, "PACK": parts.pack,
    "UNPACK": parts.unpack, "SPLIT": parts.split, "SPLIT_V": parts.split,
    "SLICE": parts.slice_, "STRIDED_SLICE": parts.strided_slice, "GATHER": parts.gather,
    "TILE": shapes.tile, "BROADCAST_TO": shapes.broadcast_to,
    **dict.fromkeys(("PAD", "PADV2", "MIRROR_PAD"), shapes.pad),
    **dict.fromkeys(("RESIZE_BILINEAR", "RESIZE_NEAREST_NEIGHBOR"), shapes.resize),
    **dict.fromkeys(sums.REDUCED, sums.reduce),
    **dict.fromkeys(("SPACE_TO_DEPTH", "DEPTH_TO_SPACE"), shapes.blocks),
    "BATCH_MATMUL": sums.batch_matmul, "REVERSE_V2": shapes.reverse, "CUMSUM": sums.cumsum,
}  # fmt: skip

SAME = ("QUANTIZE", "DEQUANTIZE", "CAST", "FAKE_QUANT", "DENSIFY")
"""Operators that only convert the type."""

HEADS = ("TFLite_Detection_PostProcess", "NON_MAX_SUPPRESSION_V4", "NON_MAX_SUPPRESSION_V5",
         "ARG_MAX", "ARG_MIN")  # fmt: skip
"""Operators that select boxes or classes: their inputs are outputs of the network."""


BEHIND = ""
"""The entry of `heads` for operators whose inputs come from uncounted operators."""


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Return the network of a model, and its weights; integer weights are dequantized.

    `input` is the input shape, channels first and without the batch, or the shapes of several
    inputs by name; it is required if the model leaves them open, and otherwise replaces them.
    Raises ArchscopeError.
    """
    path = Path(path)
    try:
        model = read(path)
    except ArchscopeError as error:
        raise type(error)(f"{path.as_posix()}: {error}") from None
    try:
        return whole(lambda: _imported(path, model, input))
    except DataError as error:
        raise DataError(f"{path.as_posix()}: {error}") from None
    except ArchscopeError as error:
        raise named(path, error) from None


def _imported(path: Path, model: TfliteModel, input: Inputs) -> Imported:
    made = FileGraph(path, [title_of(model, op) for op in model.operators])
    net = Conversion(made, model, _batch(model))
    _add_inputs(net, input)
    heads: dict[str, int] = {}
    for op in model.operators:
        _add(net, op, heads)
    ends = [net.plain(net.values[number], f"output{place}")
            for place, number in enumerate(model.outputs) if number in net.values]  # fmt: skip
    if heads:
        behind = heads.pop(BEHIND, 0)
        made.notes.append(
            f"not counted: {', '.join(heads) or 'what reads variables'}"
            + (f" and {behind} operators after it" if behind else "")
        )
    dtype = net.dtype()
    if any(model.tensors[number].scales is not None for number in net.values):
        made.notes.append("quantized in the file: rounding between layers is left out")
    graph = structs.replace(made.graph(ends), dtype="" if dtype == "float32" else dtype)
    return Imported(graph, net.arrays)


def _batch(model: TfliteModel) -> int:
    """Return the batch size of the model, from its first input with more than one axis."""
    sides = [model.tensors[number].shape for number in model.inputs if number >= 0]
    return next((shape[0] for shape in sides if len(shape) > 1), 1) or 1


def _add_inputs(net: Conversion, input: Inputs) -> None:
    stated: dict[str, Shape] = {}
    numbers: dict[str, int] = {}
    taken: dict[str, int] = {}
    for number in net.model.inputs:
        tensor = net.model.tensors[number]
        name = take_name(tensor.name.split(":")[0] or "input", taken)
        batch, *sizes = tensor.shape or (net.batch, 1)
        if batch != net.batch or not sizes:
            raise DataError(
                f"the input '{name}' is {text_of(tensor.shape) or 'one number'}, which has no"
                f" batch of {net.batch} in front"
            )
        known = all(0 < side < 2**31 for side in sizes) and not tensor.open
        stated[name] = (sizes[-1], *sizes[:-1]) if known else ()
        numbers[name] = number
    shapes_ = sizes_of(stated, input)
    net.resized = shapes_ != stated
    for name, shape in shapes_.items():
        net.values[numbers[name]] = Value(net.made.input(name, shape, 0))


def _add(net: Conversion, op: TfliteOperator, heads: dict[str, int]) -> None:
    """Add an operator, or record that its results are constant or depend on uncounted ones."""
    read = [number for number in op.inputs if number >= 0]
    if any(number not in net.values and number not in net.constants for number in read):
        heads[BEHIND] = heads.get(BEHIND, 0) + 1
        return
    if not any(number in net.values for number in read):
        _keep_constant(net, op)
        return
    if op.kind in HEADS:
        heads[op.kind] = heads.get(op.kind, 0) + 1
        return
    if op.kind == "SHAPE":
        for number in op.outputs:
            net.constants[number] = Constant(None, net.model.tensors[number].shape)
        return
    before = len(net.made.builder.nodes)
    try:
        values: Sequence[Value | None]
        if op.kind in SAME or op.outputs[0] in net.passed:
            values = [net.value(op)]
        elif op.kind in LAYERS:
            values = LAYERS[op.kind](net, op)
        else:
            raise Unsupported
    except Unsupported as found:
        net.undo(before)
        values = _opaque(net, op, found.given)
    pairs = zip(op.outputs, values, strict=False)
    net.values.update((number, value) for number, value in pairs if value is not None)


def _keep_constant(net: Conversion, op: TfliteOperator) -> None:
    """Keep the result of an operator that reads only constants: converted or computed."""
    first = net.constants.get(op.inputs[0]) if op.inputs and op.kind in SAME else None
    for number in op.outputs:
        net.constants[number] = first or Constant(None, net.model.tensors[number].shape)


def _opaque(net: Conversion, op: TfliteOperator, given: dict[str, Any]) -> list[Value]:
    """Add an operator without an equivalent, with the shape stated in the file.

    Raises SpecError if the inputs have other sizes than stated in the file.
    """
    if net.resized and "size" not in given:
        raise net.error(op, "has a size that is known only for the input sizes stated in the file")
    nodes = [net.plain(net.values[number], net.title(op))
             for number in op.inputs if number in net.values]  # fmt: skip
    weights = [net.constants[number] for number in op.inputs if number in net.constants]
    learned = [c.tensor for c in weights if c.tensor is not None and _is_learned(net, c)]
    values = []
    for place, number in enumerate(op.outputs):
        shape = net.model.tensors[number].shape
        batched = bool(shape) and shape[0] == net.batch
        sizes = shape[batched:] or (1,)
        if prod(sizes) < 1 or prod(sizes) > MOST_ELEMENTS:
            raise net.error(op, f"gives a tensor of {text_of(shape)}")
        size = (sizes[-1], *sizes[:-1])
        costs = _costs(op, net, prod(shape)) | given if place == 0 else {"products": 0, "work": 0}
        params = sum(prod(net.model.tensors[number].shape) for number in learned)
        words = {"size": size, **costs, "learned": 0 if place else params}
        node = net.made.opaque(net.title(op), 0, f"tflite.{op.kind}", nodes, **words)
        if not place and learned:
            net.count(node, learned, params)
        values.append(Value(node, batched=batched))
    return values


def _is_learned(net: Conversion, constant: Constant) -> bool:
    tensor = net.model.tensors[constant.tensor or 0]
    if tensor.scales is not None:
        return True
    return tensor.kind.endswith(("FLOAT32", "FLOAT16", "INT8", "UINT8")) and prod(tensor.shape) > 1


MOVING = frozenset({
    "RESHAPE", "SQUEEZE", "EXPAND_DIMS", "TRANSPOSE", "CONCATENATION", "PACK", "UNPACK", "SPLIT",
    "SPLIT_V", "SLICE", "STRIDED_SLICE", "GATHER", "GATHER_ND", "TILE", "BROADCAST_TO", "PAD",
    "PADV2", "MIRROR_PAD", "SPACE_TO_BATCH_ND", "BATCH_TO_SPACE_ND", "REVERSE_V2", "SHAPE",
    "SPACE_TO_DEPTH", "DEPTH_TO_SPACE", "EMBEDDING_LOOKUP", "ZEROS_LIKE", "FILL", "ONE_HOT",
})  # fmt: skip
"""Operators that compute nothing."""

EACH = frozenset({
    "GREATER", "GREATER_EQUAL", "LESS", "LESS_EQUAL", "EQUAL", "NOT_EQUAL", "LOGICAL_AND",
    "LOGICAL_OR", "LOGICAL_NOT", "SELECT", "SELECT_V2", "FLOOR", "CEIL", "ROUND", "FLOOR_DIV",
    "FLOOR_MOD", "SIGN", *pointwise.BOTH,
})  # fmt: skip
"""Operators with one operation per output value."""


def _costs(op: TfliteOperator, net: Conversion, elements: int) -> dict[str, Any]:
    """Return the known cost of an operator by its kind, for one image."""
    elements //= net.batch
    if op.kind in MOVING:
        return {"products": 0, "work": 0}
    if op.kind in EACH:
        return {"products": 0, "work": elements, "pointwise": True}
    inputs = [net.model.tensors[number].shape for number in op.inputs if number >= 0]
    weights = inputs[1] if len(inputs) > 1 else ()
    if op.kind in ("CONV_2D", "CONV_3D", "FULLY_CONNECTED", "DEPTHWISE_CONV_2D") and weights:
        if op.kind == "CONV_3D":
            taps = prod(weights[:-1])
        else:
            taps = prod(weights[1:3] if op.kind.startswith("DEPTH") else weights[1:])
        return {"products": elements * taps, "work": elements if len(inputs) > 2 else 0}
    if op.kind == "BATCH_MATMUL" and inputs and len(inputs[0]) > 1:
        inner = inputs[0][-2 if op.option("AdjX", False) else -1]
        return {"products": elements * inner, "work": 0}
    return {}
