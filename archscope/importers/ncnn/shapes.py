"""Layers of ncnn that reshape, join and split blobs, and products of blobs."""

from __future__ import annotations

from itertools import accumulate, pairwise
from math import prod

from archscope.importers.ncnn.conversion import REST, Conversion
from archscope.importers.ncnn.param_file import ParamLayer
from archscope.ir import Shape


def softmax(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a softmax over an axis."""
    if net.axis(layer, 0):
        return [net.opaque(layer, 5)]
    return [net.add(layer, "softmax")]


def flatten(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a flattening of all axes."""
    return [net.node(layer) if len(net.shape(layer)) == 1 else net.add(layer, "flatten")]


def reshape(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a reshape: 0 keeps a side, -1 is inferred."""
    shape = net.shape(layer)
    old = [*reversed(shape)]
    sides = [side for side in (layer.integer(number, REST) for number in (0, 1, 2)) if side != REST]
    if 11 in layer or 6 in layer or not sides:
        return [net.opaque(layer, size=_stated(net, layer), view=True)]
    sides = [old[at] if side == 0 and at < len(old) else side for at, side in enumerate(sides)]
    rest = prod(side for side in sides if side != -1)
    if sides.count(-1) > 1 or rest < 1 or prod(shape) % rest:
        raise net.made.error(
            f"'{layer.name[:60]}' cannot reshape {prod(shape)} values to {sides}", layer.line
        )
    size = tuple(prod(shape) // rest if side == -1 else side for side in reversed(sides))
    if size == shape:
        return [net.node(layer)]
    if len(size) == 1 and size[0] == prod(shape):
        return [net.add(layer, "flatten")]
    return [net.add(layer, "reshape", size=size)]


def _stated(net: Conversion, layer: ParamLayer) -> Shape:
    found = layer.shapes()
    if not found:
        raise net.made.error(
            f"'{layer.name[:60]}' ({layer.kind}) has an output shape that the file does not state",
            layer.line,
        )
    return found[0]


def permute(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a permutation of the axes."""
    shape, kind = net.shape(layer), layer.integer(0, 0)
    orders: dict[int, tuple[tuple[int, ...], ...]] = {
        2: ((0, 1), (1, 0)),  # of height and width
        3: ((0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)),
    }
    known = orders.get(len(shape), ((0,),))
    if not 0 <= kind < len(known):
        raise net.made.error(f"'{layer.name[:60]}' has the unknown order {kind}", layer.line)
    if kind == 0:
        return [net.node(layer)]
    return [net.opaque(layer, size=tuple(shape[axis] for axis in known[kind]))]


def concat(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add the concatenation of blobs along an axis."""
    axis = net.axis(layer, 0)
    learned = [net.constants[blob] for blob in layer.bottoms if blob in net.constants]
    nodes = net.nodes(layer)
    shapes = [net.made.shape(node) for node in nodes] + learned
    if len({(len(s), *s[:axis], *s[axis + 1 :]) for s in shapes}) > 1:
        raise net.made.error(
            f"'{layer.name[:60]}' joins blobs that also differ in other axes", layer.line
        )
    if not learned:
        return [nodes[0] if len(nodes) == 1 else net.add(layer, "concat", nodes, axis=axis)]
    size = (*shapes[0][:axis], sum(s[axis] for s in shapes), *shapes[0][axis + 1 :])
    return [net.opaque(layer, size=size)]


def slice_(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add the parts of a blob along an axis: of given sizes, or at given points."""
    axis, shape = net.axis(layer, 1), net.shape(layer)
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
        raise net.made.error(
            f"'{layer.name[:60]}' cannot split {whole} into {len(layer.tops)} parts", layer.line
        )
    return [_range(net, layer, axis, start, stop) for start, stop in pairwise(ends)]


def _range(net: Conversion, layer: ParamLayer, axis: int, start: int, stop: int) -> str:
    shape = net.shape(layer)
    if (start, stop) == (0, shape[axis]):
        return net.node(layer)
    if axis == 0:
        return net.add(layer, "slice", start=start, stop=stop)
    return net.opaque(layer, size=(*shape[:axis], stop - start, *shape[axis + 1 :]))


def crop(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a part of a blob, which begins and ends within each axis where it says."""
    shape = net.shape(layer)
    ranges = [[0, size] for size in shape]
    if 9 in layer:
        axes = layer.integers(11) or [*range(len(layer.integers(9)))]
        for axis, start, stop in zip(axes, layer.integers(9), layer.integers(10), strict=False):
            if not -len(shape) <= axis < len(shape):
                raise net.made.error(f"'{layer.name[:60]}' has no axis {axis}", layer.line)
            size = shape[axis]
            start = start + size if start < 0 else start
            stop = min(stop + size if stop < 0 else stop, size)
            ranges[axis % len(shape)] = [start, stop]
    else:
        if len(layer.bottoms) > 1:
            return [net.opaque(layer, size=_like(net, layer))]
        for place, (begin, out, end) in enumerate(((0, 3, 6), (1, 4, 7), (2, 5, 8))):
            if place < len(shape):
                size = shape[-1 - place]
                start, kept = layer.integer(begin, 0), layer.integer(out, 0)
                stop = start + kept if kept > 0 else size - layer.integer(end, 0)
                ranges[-1 - place] = [start, stop]
    for (start, stop), size in zip(ranges, shape, strict=True):
        if not 0 <= start < stop <= size:
            raise net.made.error(
                f"'{layer.name[:60]}' crops {start} to {stop} of an axis of {size}", layer.line
            )
    cut = [axis for axis, ends in enumerate(ranges) if ends != [0, shape[axis]]]
    if len(cut) < 2:
        axis = cut[0] if cut else 0
        return [_range(net, layer, axis, *ranges[axis])]
    return [net.opaque(layer, size=tuple(stop - start for start, stop in ranges))]


def _like(net: Conversion, layer: ParamLayer) -> Shape:
    """Return the shape of a crop to the size of a second blob."""
    stated = layer.shapes()
    other = net.made.shape(net.nodes(layer)[-1])
    return stated[0] if stated else (net.shape(layer)[0], *other[1:])


def shuffle(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add the shuffle of ShuffleNet, or its inverse."""
    groups, channels = layer.integer(0, 1), net.shape(layer)[0]
    if layer.integer(1, 0) and groups > 0 and channels % groups == 0:
        groups = channels // groups
    return [net.add(layer, "channel_shuffle", groups=groups)]


def pixel_shuffle(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add the rearrangement of channels into positions, or its inverse."""
    inverse = layer.kind == "Reorg"
    block, shape = layer.integer(0, 1), net.shape(layer)
    if layer.integer(1, 0) == 0 or len(shape) != 3:
        return [net.add(layer, "space_to_depth" if inverse else "pixel_shuffle", block=block)]
    square = block**2
    size = (shape[0] * square, shape[1] // max(block, 1), shape[2] // max(block, 1))
    if not inverse:
        size = (shape[0] // max(square, 1), shape[1] * block, shape[2] * block)
    return [net.opaque(layer, size=size)]


def interp(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add resizing to a size or by a factor."""
    kind, shape = layer.integer(0, 0), net.shape(layer)
    if len(layer.bottoms) > 1 or 9 in layer:
        return [net.opaque(layer, 7, size=_like(net, layer))]
    sizes: Shape = (layer.integer(3, 0), layer.integer(4, layer.integer(3, 0)))
    if not all(sizes):
        factors = (layer.number(1, 1), layer.number(2, 1))
        sizes = tuple(int(n * f) for n, f in zip(shape[1:], factors, strict=False))
    if kind in (1, 2) and not (kind == 2 and layer.integer(6, 0)) and len(shape) == 3:
        mode = "nearest" if kind == 1 else "linear"
        factors_ = {
            out // n if out % n == 0 else 0 for out, n in zip(sizes, shape[1:], strict=True)
        }
        factor = factors_.pop()
        if factor and not factors_:
            return [net.add(layer, "upsample", scale=factor, mode=mode)]
        return [net.add(layer, "upsample", size=sizes, mode=mode)]
    return [net.opaque(layer, 7, size=(shape[0], *sizes))]


def padding(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add padding around a blob."""
    shape = net.shape(layer)
    sides = [
        layer.integer(7, 0) + layer.integer(8, 0),
        layer.integer(0, 0) + layer.integer(1, 0),
        layer.integer(2, 0) + layer.integer(3, 0),
    ][-len(shape) :]
    size = tuple(n + more for n, more in zip(shape, sides, strict=True))
    return [net.node(layer) if size == shape else net.opaque(layer, size=size)]


MEAN = 3


def reduction(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a sum, mean or norm over some axes."""
    shape, kept = net.shape(layer), layer.integer(4, 0) != 0
    axes = layer.integers(3)
    if layer.integer(1, 1) or not axes:
        axes = [*range(len(shape))]
    elif not layer.integer(5, 0):
        axes = [axis - 1 if axis > 0 else axis for axis in axes]  # with the batch, at first
    gone = {axis % len(shape) for axis in axes}
    mean = layer.integer(0, 0) == MEAN and layer.number(2, 1) == 1
    if mean and len(shape) == 3 and gone == {1, 2}:
        if kept:
            return [net.add(layer, "global_avgpool")]
        node = net.part(layer, "pool", "global_avgpool", [net.node(layer)])
        return [net.add(layer, "flatten", [node])]
    size = tuple(
        1 if axis in gone else side for axis, side in enumerate(shape) if kept or axis not in gone
    )
    return [net.opaque(layer, None, products=0, work=prod(shape), size=size or (1,))]


def axes_changed(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add an axis of one position, or leave such axes out."""
    shape, axes = [*net.shape(layer)], layer.integers(3)
    if layer.kind == "ExpandDims" and axes:
        for axis in sorted(axes):
            shape.insert(axis if axis >= 0 else axis + len(shape) + 1, 1)
        size = tuple(shape)
    elif layer.kind == "Squeeze":
        ranks = {axis % len(shape) for axis in axes} if axes else {*range(len(shape))}
        size = tuple(n for axis, n in enumerate(shape) if n > 1 or axis not in ranks) or (1,)
    else:
        size = _stated(net, layer)
    return [net.add(layer, "reshape", size=size)]


def attention(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add multi-head attention with its four products, and the two of the attention itself."""
    nodes = [node for node in net.nodes(layer) if len(net.made.shape(node)) == 2]
    width = layer.integer(0, 0)
    if not nodes or width < 1:
        raise net.made.error(f"'{layer.name[:60]}' needs rows and a width", layer.line)
    query = net.made.shape(nodes[0])
    key = net.made.shape(nodes[1] if len(nodes) > 1 else nodes[0])
    outer = layer.integer(2, 0) // width
    keys, values = layer.integer(3, width), layer.integer(4, width)
    weights = width * (2 * outer + keys + values)
    products = width * (2 * query[0] * outer + key[0] * (keys + values) + 2 * query[0] * key[0])
    return [
        net.opaque(
            layer,
            None,
            size=(query[0], outer or width),
            products=products,
            learned=weights + 3 * width + outer,
        )
    ]


def gemm(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add the product of a blob with learned weights, or with another blob."""
    nodes = net.nodes(layer)
    shape = net.made.shape(nodes[0])
    if len(shape) > 2 or layer.integer(4, 0):
        raise net.made.error(
            f"'{layer.name[:60]}' multiplies in a way that is not supported", layer.line
        )
    rows, inner = (shape[0], shape[1]) if len(shape) == 2 else (1, shape[0])
    if layer.integer(2, 0):
        rows, inner = inner, rows
    if layer.integer(5, 0):
        out, depth = layer.integer(8, 0), layer.integer(9, 0)
        if depth != inner:
            raise net.made.error(
                f"'{layer.name[:60]}' needs rows of {depth} values, got {inner}", layer.line
            )
        shifts = {0: 1, 1: rows, 2: rows, 3: rows * out, 4: out}
        learned = out * depth
        if layer.integer(6, 0):
            learned += shifts.get(layer.integer(10, 0), 0)
    elif len(nodes) > 1:
        other = net.made.shape(nodes[1])
        out, learned = other[-2 if layer.integer(3, 0) and len(other) > 1 else -1], 0
    else:
        raise net.made.error(f"'{layer.name[:60]}' needs a second factor", layer.line)
    return [net.opaque(layer, 1, size=(rows, out), products=rows * inner * out, learned=learned)]
