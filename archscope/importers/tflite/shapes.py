"""Operators of TensorFlow Lite that reshape, permute, repeat, pad or resize values."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from archscope.importers.tflite.conversion import Conversion, Unsupported, Value, in_order
from archscope.importers.tflite.model_file import TfliteOperator
from archscope.ir import Shape, text_of


def reshaped(net: Conversion, op: TfliteOperator, value: Value, shape: Shape) -> Value:
    """Reshape a value to a shape of the file with as few operators as possible."""
    title = net.title(op)
    if shape == net.file_shape(value):
        return value
    batched = bool(shape) and shape[0] == net.batch
    target = shape[1:] if batched else shape
    if not target or (not batched and net.batch > 1) or prod(shape) != prod(net.file_shape(value)):
        raise Unsupported
    if len(target) == 1 and not value.pads:
        if value.flat or not in_order(net.shape(value)):
            return Value(value.node, flat=True, batched=batched)
        node = net.add(title, "flatten", value.node) if len(net.shape(value)) > 1 else value.node
        return Value(node, batched=batched)
    node = net.plain(value, title)
    size = (target[-1], *target[:-1])
    if size == net.shape(node):
        return Value(node, batched=batched)
    if size[0] == net.shape(node)[0] and len(size) > 1:  # the positions have the same order
        return Value(net.add(title, "reshape", node, size=size), batched=batched)
    node = net.last(node, title)
    if len(target) == 1:
        return Value(net.add(title, "flatten", node), batched=batched)
    if in_order(size):
        return Value(net.add(title, "reshape", node, size=size), batched=batched)
    node = net.add(title, "reshape", node, size=target)
    order = (len(target) - 1, *range(len(target) - 1))
    return Value(net.add(f"{title}_first", "permute", node, order=order), batched=batched)


def reshape(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add a reshape to the shape that the file states for the result, or that an input holds."""
    value = net.value(op)
    groups = _shuffled(net, op)
    if groups:
        node = net.add(net.title(op), "channel_shuffle", net.node(op), groups=groups)
        return [Value(node, batched=value.batched)]
    shape, size = net.model.tensors[op.outputs[0]].shape, prod(net.file_shape(value))
    if prod(shape) != size:
        stated = net.constant(op, 1)
        said = net.integers(op, 1) if stated and stated.tensor is not None else []
        said = said or list(op.option("NewShapeAsNumpy", []) if op.option("NewShapeLength") else [])
        rest = prod(side for side in said if side != -1)
        if said.count(-1) == 1 and rest > 0 and size % rest == 0:
            said = [size // rest if side == -1 else side for side in said]
        elif len(shape) == 2 and shape[0] == net.batch:
            said = [shape[0], size // shape[0]]  # flattened
        shape = tuple(map(int, said))
        if prod(shape) != size:
            raise net.error(op, f"cannot reshape {size} values to {text_of(shape) or '?'}")
    return [reshaped(net, op, value, shape)]


def _shuffled(net: Conversion, op: TfliteOperator) -> int:
    """Return the groups of channels that this and two more operators interleave, 0 for none."""
    turn = net.only_reader(op.outputs[0], "TRANSPOSE")
    back = net.only_reader(turn.outputs[0], "RESHAPE") if turn else None
    if turn is None or back is None or not net.value(op).batched:
        return 0
    shape = net.file_shape(net.value(op))
    tensors = net.model.tensors
    split, ended = (tensors[each.outputs[0]].shape for each in (op, back))
    rank = len(shape)
    order = [*range(rank - 1), rank, rank - 1]
    if len(split) != rank + 1 or split[:-2] != shape[:-1] or ended != shape:
        return 0
    if split[-2] * split[-1] != shape[-1] or net.integers(turn, 1) != order:
        return 0
    net.passed.update((turn.outputs[0], back.outputs[0]))
    return split[-2]


def squeeze(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Remove axes of size 1."""
    value = net.value(op)
    shape = net.file_shape(value)
    given = op.option("SqueezeDimsAsNumpy", []) if op.option("SqueezeDimsLength") else []
    axes = {int(axis) % len(shape) for axis in given} or {
        axis for axis, side in enumerate(shape) if side == 1
    }
    left = tuple(side for axis, side in enumerate(shape) if axis not in axes or side > 1)
    return [reshaped(net, op, value, left)]


def expand_dims(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add an axis of size 1."""
    value = net.value(op)
    shape = list(net.file_shape(value))
    (axis,) = net.integers(op, 1)
    shape.insert(axis if axis >= 0 else len(shape) + 1 + axis, 1)
    return [reshaped(net, op, value, tuple(shape))]


def transpose(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add a permutation of the axes."""
    value, node = net.value(op), net.node(op)
    order, rank = net.integers(op, 1), len(net.file_shape(value))
    if sorted(order) != [*range(rank)]:
        raise net.error(op, f"needs each of {rank} axes once, got {order[:8]}")
    if value.batched and order[0] != 0:
        raise Unsupported
    ours = [net.axis(op, value, axis) for axis in order if axis or not value.batched]
    ours = [ours[-1], *ours[:-1]]
    if ours != sorted(ours):
        node = net.add(net.title(op), "permute", node, order=tuple(ours))
    return [Value(node, batched=value.batched)]


def tile(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Repeat a value along its axes."""
    value, node = net.value(op), net.node(op)
    for axis, times in enumerate(net.integers(op, 1)):
        if times != 1:
            along = net.axis(op, value, axis)
            node = net.add(net.title(op), "tile", node, times=times, axis=along)
    return [Value(node, batched=value.batched)]


def broadcast_to(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Repeat axes of size 1."""
    value = net.value(op)
    _, *shape = net.integers(op, 1)
    if not value.batched or len(shape) != len(net.file_shape(value)) - 1:
        raise Unsupported
    return [Value(net.add(net.title(op), "expand", net.node(op), size=(shape[-1], *shape[:-1])))]


def pad(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Pad a value with zeros, a constant, or mirrored values."""
    value = net.value(op)
    given, rank = net.integers(op, 1), len(net.file_shape(value))
    pairs = [*zip(given[::2], given[1::2], strict=True)]
    if len(pairs) != rank or min(given) < 0:
        raise net.error(op, f"needs padding of at least 0 for {rank} axes, got {len(given)} pairs")
    if value.batched:
        batch, *pairs = pairs
        if any(batch):
            raise Unsupported(products=0)
    *positions, channels = pairs
    number, mode = 0.0, "constant"
    if op.kind == "PADV2":
        constant = net.constant(op, 2)
        if constant is None:
            raise Unsupported(products=0)
        number = float(net.array(constant).reshape(-1)[0])
    if op.kind == "MIRROR_PAD":
        mode = "reflect"
        if op.option("Mode"):  # symmetric: the border itself is repeated
            raise Unsupported(products=0, work=0)
    if mode == "constant" and number == 0 and not any(channels) and not value.flat:
        before = value.pads or ((0, 0),) * len(positions)
        sides = [(a + c, b + d) for (a, b), (c, d) in zip(before, positions, strict=True)]
        return [Value(value.node, pads=tuple(sides), batched=value.batched)]
    node = net.add(
        net.title(op), "pad", net.node(op), padding=tuple(positions) if positions else 0, mode=mode,
        value=number, channels=channels,
    )  # fmt: skip
    return [Value(node, batched=value.batched)]


def resize(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add resizing to a size."""
    value, node = net.value(op), net.node(op)
    _, *sizes = net.shape(node)
    wanted = net.integers(op, 1)
    if net.resized:  # by the factor of the sizes stated in the file
        stated = net.model.tensors[op.inputs[0]].shape[1:3]
        wanted = [n * out // old for n, out, old in zip(sizes, wanted, stated, strict=True)]
    if wanted == sizes:
        return [value]
    align, half = op.option("AlignCorners", False), op.option("HalfPixelCenters", False)
    whole = len(sizes) == len(wanted) == 2 and not any(
        out % n for n, out in zip(sizes, wanted, strict=True)
    )
    given: dict[str, Any] = {"size": tuple(wanted)}
    if whole and len({out // n for n, out in zip(sizes, wanted, strict=True)}) == 1:
        given = {"scale": wanted[0] // sizes[0]}
    if op.kind == "RESIZE_NEAREST_NEIGHBOR":
        if align:
            raise Unsupported(products=0, work=0)
        given["mode"] = "nearest_exact" if half and not whole else "nearest"
    elif not align and not half:
        return [Value(_from_corners(net, net.title(op), node, wanted), batched=value.batched)]
    else:
        given |= {"mode": "linear", "align_corners": bool(align)}
    return [Value(net.add(net.title(op), "upsample", node, **given), batched=value.batched)]


def _from_corners(net: Conversion, title: str, node: str, wanted: Sequence[int]) -> str:
    """Add bilinear resizing in which the corners before all positions are aligned.

    With the last values repeated once, the next position of either map is aligned as well.
    """
    node = net.add(f"{title}_pad", "pad", node, padding=((0, 1), (0, 1)), mode="replicate")
    more = tuple(size + 1 for size in wanted)
    node = net.add(title, "upsample", node, size=more, mode="linear", align_corners=True)
    for axis, size in enumerate(wanted, start=1):
        node = net.add(f"{title}_cut{axis}", "slice", node, start=0, stop=size, axis=axis)
    return node


def blocks(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Rearrange blocks of positions into channels, or channels into blocks of positions."""
    value, node, title = net.value(op), net.node(op), net.title(op)
    size = op.option("BlockSize")
    if op.kind == "SPACE_TO_DEPTH":
        made = net.add(title, "space_to_depth", node, block=size, order="row")
    else:  # here the channels of a position are adjacent, in torch the positions of a channel
        node = net.add(f"{title}_shuffle", "channel_shuffle", node, groups=size * size)
        made = net.add(title, "pixel_shuffle", node, block=size)
    return [Value(made, batched=value.batched)]


def reverse(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Reverse the order along axes."""
    value = net.value(op)
    axes = sorted({net.axis(op, value, axis) for axis in net.integers(op, 1)})
    return [Value(net.add(net.title(op), "flip", net.node(op), axes=axes), batched=value.batched)]
