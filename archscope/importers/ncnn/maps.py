"""Layers of ncnn that resize, pad and rearrange the positions of a map."""

from __future__ import annotations

from archscope.importers.ncnn.conversion import Conversion, Value
from archscope.importers.ncnn.param_file import ParamLayer
from archscope.importers.ncnn.size_expression import sides_of
from archscope.importers.ncnn.windows import pads_of, window_of


def shuffle(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the shuffle of ShuffleNet, or its inverse."""
    groups, channels = layer.integer(0, 1), net.shape(layer)[0]
    if layer.integer(1, 0) and groups > 0 and channels % groups == 0:
        groups = channels // groups
    return [Value(net.add(layer, "channel_shuffle", groups=groups))]


def pixel_shuffle(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the rearrangement of channels into positions: of a channel first, or of a position."""
    block, shape = layer.integer(0, 1), net.shape(layer)
    node, square = net.node(layer), layer.integer(0, 1) ** 2
    if layer.integer(1, 0) and len(shape) == 3 and block > 0 and shape[0] % square == 0:
        apart = net.reshaped(layer, "apart", node, (square, shape[0] // square, *shape[1:]))
        apart = net.part(layer, "turned", "permute", [apart], order=(1, 0, 2, 3))
        node = net.reshaped(layer, "joined", apart, shape)
    return [Value(net.add(layer, "pixel_shuffle", [node], block=block))]


def reorg(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the rearrangement of positions into channels."""
    order = "row" if layer.integer(1, 0) else "channel"
    return [Value(net.add(layer, "space_to_depth", block=layer.integer(0, 1), order=order))]


def focus(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the first layer of YOLOv5, which ncnn's example defines."""
    return [Value(net.add(layer, "space_to_depth", block=2, order="column"))]


def interp(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add resizing to a size, by a factor, or to the size of another blob."""
    shape = net.shape(layer)
    old = sides_of(shape) if len(shape) > 1 else dict.fromkeys("wh", 1)
    high, wide = layer.integer(3, 0), layer.integer(4, 0)
    factors: tuple[float, ...] = ()
    if 9 in layer.texts:
        wide, *others = net.sizes(layer, 9) or [0]
        high = others[0] if others else old["h"]
    elif len(layer.bottoms) > 1:
        other = sides_of(net.shape(layer, 1))
        high, wide = other["h"], other["w"]
    elif not (high and wide):
        factors = (layer.number(1, 1), layer.number(2, 1))
        high, wide = int(old["h"] * factors[0]), int(old["w"] * factors[1])
    if min(high, wide) < 1:
        raise net.error(layer, f"resizes to {high}x{wide}")
    node = net.node(layer)
    if len(shape) == 1:  # a value for all positions
        node = net.reshaped(layer, "map", node, (shape[0], 1, 1))
        return [Value(net.add(layer, "expand", [node], size=(shape[0], high, wide)))]
    sizes, factors = ((high, wide), factors) if len(shape) > 2 else ((wide,), factors[1:])
    if sizes == shape[1:]:
        return [net.value(layer)]
    kind = layer.integer(0, 0)
    if kind not in (1, 2, 3) or len(shape) > 3 or (kind == 3 and len(shape) < 3):
        return [Value(net.opaque(layer, 7, size=(shape[0], *sizes)))]
    ratios = {out // n if out % n == 0 else 0 for out, n in zip(sizes, shape[1:], strict=True)}
    given = {"mode": ("nearest", "linear", "cubic")[kind - 1]}
    if kind > 1 and layer.integer(6, 0):
        return [Value(net.add(layer, "upsample", [node], size=sizes, align_corners=True, **given))]
    if len(ratios) == 1 and ratios != {0}:
        return [Value(net.add(layer, "upsample", [node], scale=ratios.pop(), **given))]
    if factors:  # positions are computed from the factor
        return [Value(net.add(layer, "upsample", [node], factor=factors, **given))]
    return [Value(net.add(layer, "upsample", [node], size=sizes, **given))]


MODES = {0: "constant", 1: "replicate", 2: "reflect"}


def padding(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add padding around a blob: a constant, or values of the blob."""
    shape, node, kind = net.shape(layer), net.node(layer), layer.integer(4, 0)
    sides = [tuple(layer.integer(number, 0) for number in pair)
             for pair in ((7, 8), (0, 1), (2, 3))][-len(shape) :]  # fmt: skip
    if len(shape) == 4:
        sides = [(0, 0), *sides]
    size = tuple(n + sum(pair) for n, pair in zip(shape, sides, strict=True))
    if size == shape:
        return [net.value(layer)]
    if kind not in MODES or layer.integer(6, 0) or min(map(min, sides)) < 0:
        return [Value(net.opaque(layer, size=size))]
    channels, *positions = sides
    if kind and any(channels):  # which are positions to `pad`
        node = net.reshaped(layer, "map", node, (1, *shape))
        channels, positions = (0, 0), sides
    given = {"mode": MODES[kind], "value": layer.number(5, 0), "channels": channels}
    if kind:
        del given["value"]
    node = net.add(layer, "pad", [node], padding=tuple(positions) or 0, **given)
    return [Value(net.reshaped(layer, "channels", node, size))]


def unfold(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the values of windows as channels, with all positions on one axis."""
    rows = net.part(layer, "windows", "unfold", [net.node(layer)], **window_of(layer, 2),
                    padding=pads_of(net, layer, 2))  # fmt: skip
    channels, *sizes = net.made.shape(rows)
    return [Value(net.add(layer, "reshape", [rows], size=(channels, sizes[0] * sizes[1])))]


def fold(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the sum of windows at their positions."""
    size = (layer.integer(21, layer.integer(20, 0)), layer.integer(20, 0))
    return [Value(net.add(layer, "fold", size=size, **window_of(layer, 2),
                          padding=pads_of(net, layer, 2)))]  # fmt: skip


SAMPLES = {1: "linear", 2: "nearest", 3: "cubic"}
BEYOND = {1: "zeros", 2: "border", 3: "reflection"}


def grid_sample(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the samples of a map at the positions of another blob."""
    grid = net.value(layer, 1)
    mode, beyond = SAMPLES.get(layer.integer(0, 1)), BEYOND.get(layer.integer(1, 1))
    shapes = net.shape(layer), net.shape(layer, 1)
    if {*map(len, shapes)} != {3} or not mode or not beyond:
        return [Value(net.opaque(layer, 7))]
    order = (1, 2, 0) if layer.integer(3, 0) else (0, 1, 2)
    nodes = [net.node(layer), net.turned(layer, grid, order)]
    align = layer.integer(2, 0) != 0
    return [Value(net.add(layer, "grid_sample", nodes, mode=mode, padding=beyond,
                          align_corners=align))]  # fmt: skip
