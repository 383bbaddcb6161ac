"""Operators of TensorFlow Lite that join values, split them, or take parts of them."""

from __future__ import annotations

from archscope.importers.tflite.conversion import Conversion, Unsupported, Value
from archscope.importers.tflite.model_file import TfliteOperator
from archscope.importers.tflite.pointwise import activated
from archscope.importers.tflite.shapes import reshaped


def concatenation(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Concatenate values along an axis."""
    value = net.value(op)
    axis = net.axis(op, value, op.option("Axis"))
    nodes = [net.node(op, place) for place in range(len(op.inputs))]
    return [Value(activated(net, op, _joined(net, net.title(op), nodes, axis)),
                  batched=value.batched)]  # fmt: skip


def _joined(net: Conversion, title: str, nodes: list[str], axis: int) -> str:
    if len(nodes) == 1:
        return nodes[0]
    return net.add(title, "concat", *nodes, axis=axis)


def pack(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Stack values along a new axis."""
    values = [net.value(op, place) for place in range(len(op.inputs))]
    shape = list(net.file_shape(values[0]))
    axis = op.option("Axis")
    axis += (len(shape) + 1) if axis < 0 else 0
    wide = (*shape[:axis], 1, *shape[axis:])
    parts = [reshaped(net, op, value, wide) for value in values]
    title = net.title(op)
    nodes = [net.plain(part, title) for part in parts]
    along = net.axis(op, parts[0], axis)
    return [Value(_joined(net, title, nodes, along), batched=parts[0].batched)]


def unpack(net: Conversion, op: TfliteOperator) -> list[Value | None]:
    """Return each position along an axis, without the axis."""
    value = net.value(op)
    shape = net.file_shape(value)
    axis = op.option("Axis") % len(shape)
    parts = _ranges(net, op, axis, [1] * len(op.outputs))
    left = (*shape[:axis], *shape[axis + 1 :])
    return [reshaped(net, op, part, left) if part else None for part in parts]


def split(net: Conversion, op: TfliteOperator) -> list[Value | None]:
    """Split a value along an axis into parts of equal or given sizes."""
    place = 1 if op.kind == "SPLIT" else 0
    value = net.value(op, place)
    (axis,) = net.integers(op, 0 if op.kind == "SPLIT" else 2)
    length = net.file_shape(value)[axis]
    count = len(op.outputs)
    sizes = [length // count] * count if op.kind == "SPLIT" else net.integers(op, 1)
    if sizes.count(-1) == 1:
        rest = length - sum(size for size in sizes if size != -1)
        sizes = [rest if size == -1 else size for size in sizes]
    return _ranges(net, op, axis, sizes, place)


def _ranges(
    net: Conversion, op: TfliteOperator, axis: int, sizes: list[int], place: int = 0
) -> list[Value | None]:  # fmt: skip
    """Add the parts of a value, None for those without readers."""
    value, node, title = net.value(op, place), net.node(op, place), net.title(op)
    if len(sizes) == len(op.outputs) == 1 and sizes[0] == net.file_shape(value)[axis]:
        return [value]
    along = net.axis(op, value, axis)
    if sum(sizes) != net.shape(node)[along] or min(sizes, default=0) < 1:
        raise net.error(op, f"cannot split {net.shape(node)[along]} positions into {sizes[:8]}")
    if len(sizes) != len(op.outputs):
        raise net.error(op, f"has {len(op.outputs)} outputs for {len(sizes)} parts")
    parts: list[Value | None] = []
    start = 0
    for size, number in zip(sizes, op.outputs, strict=True):
        made = None
        if net.is_read(number):
            part = net.add(title, "slice", node, start=start, stop=start + size, axis=along)
            made = Value(part, batched=value.batched)
        parts.append(made)
        start += size
    return parts


def slice_(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Slice a value, given the start and size."""
    value = net.value(op)
    begins, sizes = net.integers(op, 1), net.integers(op, 2)
    shape = net.file_shape(value)
    stops = [
        begin + size if size != -1 else side
        for begin, size, side in zip(begins, sizes, shape, strict=True)
    ]
    return [_part(net, op, [*zip(begins, stops, [1] * len(shape), strict=True)])]


def strided_slice(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Slice a value with steps, or take one position along an axis."""
    shape = net.file_shape(net.value(op))
    if op.option("EllipsisMask") or op.option("NewAxisMask") or op.option("Offset", False):
        raise Unsupported
    begin, end, shrink = (op.option(f"{name}Mask") for name in ("Begin", "End", "ShrinkAxis"))
    rows = zip(*(net.integers(op, place) for place in (1, 2, 3)), strict=True)
    parts = []
    for axis, ((start, stop, step), side) in enumerate(zip(rows, shape, strict=False)):
        bit = 1 << axis
        if step < 1:
            raise Unsupported
        first = 0 if begin & bit else max(start + side if start < 0 else start, 0)
        last = side if end & bit else min(stop + side if stop < 0 else stop, side)
        parts.append((first, first + 1, 1) if shrink & bit else (first, last, step))
    parts += [(0, side, 1) for side in shape[len(parts) :]]
    part = _part(net, op, parts)
    left = [side for axis, side in enumerate(net.file_shape(part)) if not shrink >> axis & 1]
    return [reshaped(net, op, part, tuple(left))]


def _part(net: Conversion, op: TfliteOperator, ranges: list[tuple[int, int, int]]) -> Value:
    value, node = net.value(op), net.node(op)
    for axis, ((start, stop, step), side) in enumerate(
        zip(ranges, net.file_shape(value), strict=True)
    ):
        if (start, stop, step) == (0, side, 1):
            continue
        along = net.axis(op, value, axis)
        node = net.add(net.title(op), "slice", node, start=start, stop=stop, axis=along, step=step)
    return Value(node, batched=value.batched)


def gather(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Take constant positions along an axis."""
    value, places = net.value(op), net.constant(op, 1)
    if places is None or len(places.shape) != 1 or op.option("BatchDims"):
        raise Unsupported
    axis = net.axis(op, value, op.option("Axis"))
    node = net.add(
        net.title(op), "index_select", net.node(op), index=net.integers(op, 1), axis=axis
    )
    return [Value(node, batched=value.batched)]
