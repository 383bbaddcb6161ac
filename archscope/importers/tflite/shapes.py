"""Operators of TensorFlow Lite that move values, reduce axes, or multiply matrices."""

from __future__ import annotations

from math import prod
from string import ascii_lowercase
from typing import Any

from archscope.importers.tflite.conversion import Constant, Conversion, Unsupported, Value, in_order
from archscope.importers.tflite.model_file import TfliteOperator
from archscope.importers.tflite.pointwise import activated
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
    elif not align and not half:  # aligned by corners of positions, which torch lacks
        channels = net.shape(node)[0]
        raise Unsupported(products=0, work=7 * channels * prod(wanted), size=(channels, *wanted))
    else:
        given |= {"mode": "linear", "align_corners": bool(align)}
    return [Value(net.add(net.title(op), "upsample", node, **given), batched=value.batched)]


REDUCED = {"MEAN": "mean", "SUM": "sum", "REDUCE_MAX": "max", "REDUCE_MIN": "min"}


def reduce(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add the mean, sum, maximum or minimum over axes."""
    value, node, title = net.value(op), net.node(op), net.title(op)
    shape = net.file_shape(value)
    axes = {axis % len(shape) for axis in net.integers(op, 1)}
    ours = sorted(net.axis(op, value, axis) for axis in axes)
    if not ours:
        return [value]
    function, rank = REDUCED[op.kind], len(net.shape(node))
    if ours == [*range(1, rank)] and function in ("mean", "max"):
        word = "global_avgpool" if function == "mean" else "global_maxpool"
        made = net.add(title, word, node)
    else:
        made = net.add(title, "reduce", node, function=function, axes=tuple(ours), keep=True)
    kept = Value(made, batched=value.batched)
    if op.option("KeepDims", False):
        return [kept]
    left = tuple(side for axis, side in enumerate(shape) if axis not in axes)
    return [reshaped(net, op, kept, left)]


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


def cumsum(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add the cumulative sum along an axis."""
    if op.option("Exclusive", False) or op.option("Reverse", False):
        raise Unsupported(products=0)
    value = net.value(op)
    (axis,) = net.integers(op, 1)
    node = net.add(net.title(op), "cumsum", net.node(op), axis=net.axis(op, value, axis))
    return [Value(node, batched=value.batched)]


def batch_matmul(net: Conversion, op: TfliteOperator) -> list[Value]:
    """Add a matrix product, of two values or of a value and a constant."""
    weight = net.constant(op, 1)
    turned = op.option("AdjX", False), op.option("AdjY", False)
    value, title = net.value(op), net.title(op)
    if weight is not None:
        return [_with_matrix(net, op, weight, *turned)]
    other = net.value(op, 1)
    nodes = [net.node(op, 0), net.node(op, 1)]
    shapes = [net.file_shape(given) for given in (value, other)]
    ranks = {len(shape) - given.batched for shape, given in zip(shapes, (value, other),
                                                               strict=True)}  # fmt: skip
    rank = ranks.pop()
    if ranks or value.batched != other.batched or not 2 <= rank <= 5:
        raise Unsupported
    outer, (m, k, n) = ascii_lowercase[: rank - 2], "xyz"
    terms = [
        outer + (k + m if turned[0] else m + k),
        outer + (n + k if turned[1] else k + n),
        outer + m + n,
    ]
    first, second, result = (term[-1] + term[:-1] for term in terms)
    made = net.add(title, "einsum", *nodes, equation=f"{first},{second}->{result}")
    return [Value(made, batched=value.batched)]


def _with_matrix(
    net: Conversion, op: TfliteOperator, weight: Constant, turned: bool, stored_turned: bool
) -> Value:  # fmt: skip
    value, node = net.value(op), net.node(op)
    channels, *sizes = net.shape(node)
    if turned or len(weight.shape) != 2 or not 1 <= len(sizes) <= 3:
        raise Unsupported
    out, inner = weight.shape if stored_turned else weight.shape[::-1]
    if inner != channels:
        raise net.error(op, f"has a matrix for {inner} values, its input has {channels}")
    made = net.add(net.title(op), "conv", node, out=out, bias=False)

    def layout(array: Any) -> Any:
        rows = array if stored_turned else array.T
        return rows.reshape(out, inner, *(1,) * len(sizes))

    net.hold(made, weight=(weight, layout))
    return Value(made, batched=value.batched)
