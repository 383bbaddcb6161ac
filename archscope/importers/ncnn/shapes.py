"""Layers of ncnn that reshape, permute, join, cut and repeat blobs."""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import prod

from archscope.importers.ncnn.conversion import REST, Conversion, Value
from archscope.importers.ncnn.param_file import ParamLayer
from archscope.importers.ncnn.size_expression import SIDES, sides_of
from archscope.ir import Shape

NUMBERS = {"w": 0, "h": 1, "d": 11, "c": 2}
"""The numbers of the parameters of a reshape for each side."""

ORDERS = {
    2: "wh hw",
    3: "whc hwc wch cwh hcw chw",
    4: "whdc hwdc wdhc dwhc hdwc dhwc whcd hwcd wchd cwhd hcwd chwd"
       " wdch dwch wcdh cwdh dcwh cdwh hdcw dhcw hcdw chdw dchw cdhw",
}  # fmt: skip
"""The orders of Permute by the number of axes: the old sides in the order of the new ones."""


def flatten(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a flattening of all axes."""
    if len(net.shape(layer)) == 1:
        return [net.value(layer)]
    return [Value(net.add(layer, "flatten"))]


def reshape(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a reshape: 0 keeps a side, -1 is inferred, and expressions name sides of inputs."""
    shape = net.shape(layer)
    given = {side: layer.integer(number, REST) for side, number in NUMBERS.items()}
    sides = ["w", "h", *("d" for _ in "d" if given["d"] != REST), "c"]
    count = next((at for at, side in enumerate(sides) if given[side] == REST), len(sides))
    if 6 in layer.texts:
        numbers = net.sizes(layer, 6)
        count, sides = len(numbers), ["w", "h", "d", "c"] if len(numbers) > 3 else ["w", "h", "c"]
        given = dict(zip(sides, numbers, strict=False))
    if 12 in layer or 13 in layer or not 0 < count <= 4:
        return [Value(net.opaque(layer, size=_stated(net, layer), view=True))]
    old = sides_of(shape)
    wanted = [given[side] or old[side] for side in sides[:count]]
    rest = prod(side for side in wanted if side != -1)
    fits = wanted.count(-1) <= 1 and rest > 0 and prod(shape) % rest == 0
    size = tuple(prod(shape) // rest if side == -1 else side for side in reversed(wanted)) \
        if fits else ()  # fmt: skip
    if prod(size) != prod(shape) or not fits or min(size) < 1:
        raise net.error(layer, f"cannot reshape {prod(shape)} values to {wanted}")
    return [_reshaped(net, layer, size)]


def _reshaped(net: Conversion, layer: ParamLayer, size: Shape) -> Value:
    if size == net.shape(layer):
        return net.value(layer)
    if len(size) == 1:
        return Value(net.add(layer, "flatten"))
    return Value(net.add(layer, "reshape", size=size))


def _stated(net: Conversion, layer: ParamLayer) -> Shape:
    found = layer.shapes()
    if not found:
        raise net.error(layer, f"({layer.kind}) has an output shape that the file does not state")
    return found[0]


def permute(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Permute the axes; the operator is added when a layer needs it."""
    value, kind = net.value(layer), layer.integer(0, 0)
    rank = len(net.shape(layer))
    known = ORDERS.get(rank, "w").split()
    if not 0 <= kind < len(known):
        raise net.error(layer, f"has the unknown order {kind}")
    old = known[0][::-1]
    order = [net.along(value, old.index(side)) for side in reversed(known[kind])]
    return [Value(value.node, () if order == [*range(rank)] else tuple(order))]


def axes_changed(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add an axis of one position, or leave such axes out."""
    shape, axes = [*net.shape(layer)], layer.integers(3)
    if layer.kind == "ExpandDims":
        if not axes:
            return [_reshaped(net, layer, _stated(net, layer))]
        rank = len(shape) + len(axes)
        for axis in axes_of(net, layer, axes, rank):
            shape.insert(axis, 1)
        return [_reshaped(net, layer, tuple(shape))]
    gone = axes_of(net, layer, axes, len(shape)) or [
        axis for axis, side in enumerate(SIDES[len(shape)]) if layer.integer(NUMBERS[side], 0)
    ]
    size = tuple(n for axis, n in enumerate(shape) if n > 1 or axis not in gone) or (1,)
    return [_reshaped(net, layer, size)]


def axes_of(net: Conversion, layer: ParamLayer, axes: list[int], rank: int) -> list[int]:
    """Return axes that may count from the end, sorted. Raises SpecError."""
    beyond = [axis for axis in axes if not -rank <= axis < rank]
    if beyond:
        raise net.error(layer, f"must have an axis of {rank} axes, got {beyond[0]}")
    return sorted({axis % rank for axis in axes})


def axis_of(net: Conversion, layer: ParamLayer, number: int) -> int:
    """Return the axis that a parameter names. Raises SpecError."""
    return axes_of(net, layer, [layer.integer(number, 0)], len(net.shape(layer)))[0]


def concat(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the concatenation of blobs along an axis."""
    axis, places = axis_of(net, layer, 0), range(len(layer.bottoms))
    shapes = [net.shape(layer, place) for place in places]
    if len({(len(s), *s[:axis], *s[axis + 1 :]) for s in shapes}) > 1:
        raise net.error(layer, "joins blobs that also differ in other axes")
    learned = [net.constant(layer, place) for place in places]
    if len(places) == 2 and learned.count(None) == 1:
        place = learned.index(None)
        value, held = net.value(layer, place), shapes[1 - place]
        size = held
        if value.order:
            size = tuple(held[value.order.index(at)] for at in range(len(held)))
        along = net.along(value, axis)
        node = net.add(
            layer, "concat_learned", [value.node], size=size, axis=along, before=place == 1
        )
        return [Value(node, value.order)]
    values = [net.value(layer, place) for place in places]
    if len(values) == 1:
        return values
    order = values[0].order
    if any(value.order != order for value in values):
        return [Value(net.add(layer, "concat", net.nodes(layer), axis=axis))]
    along = net.along(values[0], axis)
    return [Value(net.add(layer, "concat", [value.node for value in values], axis=along), order)]


def slice_(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the parts of a blob along an axis: of given sizes, or at given points."""
    axis, shape = axis_of(net, layer, 1), net.shape(layer)
    sizes, points, whole = layer.integers(0), layer.integers(2), shape[axis]
    if points:
        ends = [0, *(point + whole if point < 0 else point for point in points), whole]
    else:
        left, rests = whole, sizes.count(REST)
        for place, size in enumerate(sizes):
            if size == REST:  # an equal part of the rest
                sizes[place] = left // rests
                rests -= 1
            left -= sizes[place]
        ends = [0, *accumulate(sizes)]
    if len(ends) != len(layer.tops) + 1 or any(a >= b for a, b in pairwise(ends)):
        raise net.error(layer, f"cannot split {whole} into {len(layer.tops)} parts")
    if ends[-1] > whole:
        raise net.error(layer, f"splits {ends[-1]} positions of {whole}")
    value = net.value(layer)
    return [_range(net, layer, value, axis, start, stop) for start, stop in pairwise(ends)]


def _range(
    net: Conversion, layer: ParamLayer, value: Value, axis: int, start: int, stop: int
) -> Value:  # fmt: skip
    if (start, stop) == (0, net.shape_of(value)[axis]):
        return value
    along = net.along(value, axis)
    node = net.add(layer, "slice", [value.node], start=start, stop=stop, axis=along)
    return Value(node, value.order)


def crop(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a part of a blob, which begins and ends within each axis where it says."""
    shape = net.shape(layer)
    ranges = [(0, size) for size in shape]
    starts, ends, axes = (
        net.sizes(layer, text) if text in layer.texts else layer.integers(number)
        for number, text in ((9, 19), (10, 20), (11, 21))
    )
    if starts and ends:
        for axis, start, stop in zip(axes or range(len(shape)), starts, ends, strict=False):
            (axis,) = axes_of(net, layer, [axis], len(shape))
            size = shape[axis]
            start = 0 if start == REST else start + size if start < 0 else start
            stop = size if stop == REST else stop + size if stop <= 0 else stop
            ranges[axis] = (start, min(stop, size))
    else:
        ranges = _sides_cut(net, layer, shape)
    value = net.value(layer)
    for axis, ((start, stop), size) in enumerate(zip(ranges, shape, strict=True)):
        if not 0 <= start < stop <= size:
            raise net.error(layer, f"crops {start} to {stop} of an axis of {size}")
        value = _range(net, layer, value, axis, start, stop)
    return [value]


CUT = {"w": (0, 3, 6), "h": (1, 4, 7), "d": (13, 14, 15), "c": (2, 5, 8)}
"""The parameters of a crop for each side: its offset, its size, and what is cut at the end."""


def _sides_cut(net: Conversion, layer: ParamLayer, shape: Shape) -> list[tuple[int, int]]:
    """Return the range of each axis, by offsets and sizes or by the size of another blob."""
    given = any(number in layer for numbers in CUT.values() for number in numbers[1:])
    other = net.shape(layer, 1) if len(layer.bottoms) > 1 and not given else None
    ranges = []
    for axis, size in enumerate(shape):
        side = SIDES[len(shape)][axis]
        begin, out, end = CUT[side]
        start, kept = layer.integer(begin, 0), layer.integer(out, 0)
        if other is not None:
            same = side != "c" or len(other) == len(shape)
            kept = sides_of(other)[side] if same else size
        if kept == REST:
            kept = size - start
        ranges.append((start, start + kept if kept > 0 else size - layer.integer(end, 0)))
    return ranges


def tile(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Repeat axes, of which a blob gets more if more are repeated."""
    shape, times = net.shape(layer), layer.integers(2)
    value = net.value(layer)
    if not times:
        times = [1] * len(shape)
        times[axis_of(net, layer, 0)] = layer.integer(1, 1)
    if len(times) > len(shape):
        ones = (1,) * (len(times) - len(shape))
        first = 1 if len(shape) == 3 else 0  # depth comes after channels
        size = (*shape[:first], *ones, *shape[first:])
        value = Value(net.reshaped(layer, "expanded", net.node(layer), size))
    times = [1] * (len(net.shape_of(value)) - len(times)) + times
    for axis, count in enumerate(times):
        if count != 1:
            along = net.along(value, axis)
            value = Value(net.add(layer, "tile", [value.node], times=count, axis=along),
                          value.order)  # fmt: skip
    return [value]


def flip(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Reverse the order along axes."""
    rank, value = len(net.shape(layer)), net.value(layer)
    axes = [net.along(value, axis) for axis in axes_of(net, layer, layer.integers(0), rank)]
    return [Value(net.add(layer, "flip", [value.node], axes=sorted(axes)), value.order)]


def copy_to(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Overwrite a range of a blob with another one."""
    shape, part = net.shape(layer, 0), net.shape(layer, 1)
    if len(part) != len(shape):
        raise net.error(layer, f"copies {len(part)} axes to {len(shape)}")
    starts = [layer.integer(CUT[side][0], 0) for side in SIDES[len(shape)]]
    given = layer.integers(11) or [*range(len(shape))]
    axes_of(net, layer, given, len(shape))
    for axis, start in zip(given, layer.integers(9), strict=False):
        starts[axis] = start + shape[axis] if start < 0 else start
    axes = [axis for axis in range(len(shape)) if part[axis] != shape[axis]] or [0]
    if len(axes) > 1:
        return [Value(net.opaque(layer, size=shape))]
    nodes = [net.node(layer, 0), net.node(layer, 1)]
    start = starts[axes[0]]
    return [Value(net.add(layer, "slice_scatter", nodes, start=start, axis=axes[0]))]
