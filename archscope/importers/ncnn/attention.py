"""Layers of ncnn for attention: its products, with or without weights, and rotary positions."""

from __future__ import annotations

from math import sqrt

from archscope.importers.ncnn.conversion import Conversion, Value
from archscope.importers.ncnn.param_file import ParamLayer
from archscope.importers.ncnn.products import rows


def multi_head(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the projections of queries, keys and values, attention, and the output projection."""
    width, heads = layer.integer(0, 0), layer.integer(1, 1)
    mask = layer.integer(5, 0) != 0
    places = len(layer.bottoms) - mask
    shapes = [net.shape(layer, place) for place in range(places)]
    if width < 1 or heads < 1 or width % heads or not 1 <= places <= 3 or layer.integer(7, 0):
        raise net.error(
            layer, f"of {width} channels, {heads} heads and {places} inputs is not supported"
        )
    if {*map(len, shapes)} != {2}:
        raise net.error(layer, "needs rows")
    values = [net.value(layer, place) for place in range(places)]
    values += values[-1:] * (3 - places)
    scale = layer.number(6, 1 / sqrt(width // heads))
    factor = scale * sqrt(width // heads)
    even = abs(factor - 1) < 1e-5
    if len({*values}) == 1 and even and not mask:
        sources = [rows(net, layer, values[0], 3 * width, True, "qkv").node]
    else:
        sources = [
            rows(net, layer, value, width, True, title).node
            for value, title in zip(values, ("query", "key", "value"), strict=True)
        ]
    if mask:
        split = [_heads(net, layer, node, heads) for node in sources]
        made = _attended(net, layer, split, net.node(layer, places), scale)
        turned = net.part(layer, "turned", "permute", [made], order=(0, 2, 1))
        attended = net.reshaped(layer, "joined", turned, (width, shapes[0][0]))
    else:
        if not even:
            sources[0] = net.part(layer, "scale", "mul_scalar", [sources[0]], factor=factor)
        attended = net.part(layer, "attention", "dot_product_attention", sources, heads=heads)
    out = layer.integer(2, 0) // width or width
    return [rows(net, layer, Value(attended, (1, 0)), out, True)]


def _heads(net: Conversion, layer: ParamLayer, node: str, heads: int) -> str:
    """Turn (width, positions) into (heads, positions, width of a head)."""
    width, positions = net.made.shape(node)
    node = net.reshaped(layer, "heads", node, (heads, width // heads, positions))
    return net.part(layer, "turned", "permute", [node], order=(0, 2, 1))


def _attended(
    net: Conversion, layer: ParamLayer, sources: list[str], mask: str | None, scale: float
) -> str:  # fmt: skip
    """Add attention of (heads, positions, width), with a mask that another layer computes."""
    query, key, value = sources
    if mask is None:
        return net.part(layer, "attention", "scaled_dot_product_attention", sources, scale=scale)
    turned = net.part(layer, "turned", "permute", [key], order=(0, 2, 1))
    scores = net.part(layer, "scores", "matmul", [query, turned])
    scores = net.part(layer, "scale", "mul_scalar", [scores], factor=scale)
    shape = net.made.shape(mask)
    mask = net.reshaped(layer, "mask", mask, (*(1,) * (3 - len(shape)), *shape))
    scores = net.part(layer, "masked", "add", [scores, mask])
    weights = net.part(layer, "softmax", "softmax", [scores], axis=2)
    return net.part(layer, "attention", "matmul", [weights, value])


def sdpa(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add attention of given queries, keys and values, after those of earlier positions."""
    mask, cached = layer.integer(5, 0) != 0, layer.integer(7, 0) != 0
    nodes = [net.node(layer, place) for place in range(3 + mask + 2 * cached)]
    shapes = [net.made.shape(node) for node in nodes]
    groups, heads = shapes[1][0], shapes[0][0]
    if {*map(len, [*shapes[:3], *shapes[3 + mask :]])} != {3} or heads % groups:
        raise net.error(layer, "needs (heads, positions, width) of queries, keys and values")
    query, *pair = nodes[:3]
    if cached:
        earlier = nodes[3 + mask :]
        pair = [
            net.part(layer, title, "concat", [old, new], axis=1)
            for title, old, new in zip(("keys", "values"), earlier, pair, strict=True)
        ]
    kept = [Value(node) for node in pair]
    if groups < heads:
        pair = [
            net.part(layer, "groups", "tile", [node], times=heads // groups, each=True)
            for node in pair
        ]
    scale = layer.number(6, 0) or 1 / sqrt(shapes[0][2])
    attended = _attended(net, layer, [query, *pair], nodes[3] if mask else None, scale)
    return [Value(attended), *(kept if cached else [])]


def rotary(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Turn pairs of channels by an angle for each position, whose cosine and sine are inputs."""
    nodes, mixed = net.nodes(layer), layer.integer(0, 0) != 0
    shapes = [net.made.shape(node) for node in nodes]
    rank = len(shapes[0])
    if len(nodes) != 3 or not 2 <= rank <= 3 or shapes[0][-1] % 2:
        raise net.error(layer, "needs (heads, positions, width), cosines and sines")
    x, axis = nodes[0], rank - 1
    half = shapes[0][-1] // 2
    ranges = [(0, 2 * half, 2), (1, 2 * half, 2)] if mixed else [(0, half, 1), (half, 2 * half, 1)]
    left, right = (
        net.part(layer, title, "slice", [x], start=start, stop=stop, step=step, axis=axis)
        for title, (start, stop, step) in zip(("left", "right"), ranges, strict=True)
    )
    cos, sin = (
        net.reshaped(layer, title, node, (*(1,) * (rank - len(shape)), *shape))
        for title, node, shape in zip(("cos", "sin"), nodes[1:], shapes[1:], strict=True)
    )
    products = [
        net.part(layer, "mul", "mul", pair)
        for pair in ([left, cos], [right, sin], [left, sin], [right, cos])
    ]
    first = net.part(layer, "sub", "sub", products[:2])
    second = net.part(layer, "add", "add", products[2:])
    if not mixed:
        return [Value(net.add(layer, "concat", [first, second], axis=axis))]
    pairs = net.part(layer, "stack", "stack", [first, second], axis=rank)
    return [Value(net.add(layer, "reshape", [pairs], size=shapes[0]))]
