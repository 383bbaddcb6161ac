"""Layers of Caffe that reshape, join and split maps, or read whole maps."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from archscope.importers.caffe.conversion import Conversion
from archscope.importers.caffe.definition import CaffeLayer


def inner_product(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a fully connected layer over all axes after the batch."""
    param = layer.param("inner_product")
    out, bias = param.integer("num_output", 0), param.flag("bias_term", True)
    shape = net.shape(layer)
    if net.axis(layer, param) != 1:
        axis = net.axis(layer, param)
        ins = prod(shape[axis - 1 :]) if axis else 0
        rows = prod(shape[: axis - 1]) if axis else 0
        learned = out * (ins + bias)
        size = (*shape[: axis - 1], out)
        return [net.opaque(layer, int(bias), learned=learned, products=rows * ins * out, size=size)]
    node = net.node(layer)
    if len(shape) > 1:
        node = net.part(layer, "flatten", "flatten", [node])
    return [net.share(layer, net.add(layer, "linear", [node], out=out, bias=bias))]


def softmax(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a softmax, over the channels unless it states another axis."""
    if net.axis(layer, layer.param("softmax")) != 1:
        return [net.opaque(layer, 5)]
    return [net.add(layer, "softmax")]


def flatten(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a flattening of several axes into one."""
    param, shape = layer.param("flatten"), (net.batch, *net.shape(layer))
    first = net.axis(layer, param)
    last = net.axis(layer, param, "end_axis", -1)
    size = (*shape[:first], prod(shape[first : last + 1]), *shape[last + 1 :])
    return [_reshaped(net, layer, size)]


def reshape(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a reshape: 0 keeps an axis, -1 is inferred."""
    param, whole = layer.param("reshape"), (net.batch, *net.shape(layer))
    axis, axes = param.integer("axis", 0), param.integer("num_axes", -1)
    axis = axis if axis >= 0 else axis + len(whole) + 1
    end = len(whole) if axes < 0 else axis + axes
    if not 0 <= axis <= end <= len(whole):
        raise net.made.error(
            f"'axis' of '{layer.name}' must lie within {len(whole)} axes", layer.line
        )
    sizes = param.message("shape").integers("dim")
    kept = whole[axis:end]
    sizes = [
        kept[place] if size == 0 and place < len(kept) else size for place, size in enumerate(sizes)
    ]
    rest = prod(size for size in sizes if size != -1)
    if sizes.count(-1) > 1 or rest < 1 or prod(kept) % rest or min(sizes, default=1) < -1:
        raise net.made.error(
            f"'{layer.name}' cannot reshape {prod(kept)} values to {sizes}", layer.line
        )
    sizes = [prod(kept) // rest if size == -1 else size for size in sizes]
    return [_reshaped(net, layer, (*whole[:axis], *sizes, *whole[end:]))]


def _reshaped(net: Conversion, layer: CaffeLayer, size: tuple[int, ...]) -> str:
    """Add a reshape, an opaque view if the batch does not stay the first axis."""
    shape = net.shape(layer)
    if size[1:] == shape and size[0] == net.batch:
        return net.node(layer)
    if prod(size[1:]) != prod(shape) or not 2 <= len(size) <= 5:
        each = [side for side in size if side > 1][-8:]
        return net.opaque(layer, size=tuple(each) or (1,), view=True)
    if len(size) == 2:
        return net.add(layer, "flatten")
    return net.add(layer, "reshape", size=size[1:])


def concat(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add the concatenation of maps, along the channels or another axis."""
    param = layer.param("concat")
    axis = net.axis(layer, param, "concat_dim" if "concat_dim" in param else "axis")
    nodes = net.nodes(layer)
    if len(nodes) == 1:
        return nodes
    if axis == 0:
        raise net.made.error(
            f"'{layer.name}' joins images along the batch, which is not supported", layer.line
        )
    return [net.add(layer, "concat", nodes, axis=axis - 1)]


def slice_(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add the parts of a map, cut at some points or evenly."""
    param, shape = layer.param("slice"), net.shape(layer)
    axis = net.axis(layer, param, "slice_dim" if "slice_dim" in param else "axis")
    number = len(layer.tops)
    if axis == 0:
        raise net.made.error(f"'{layer.name}' splits the batch, which is not supported", layer.line)
    whole = shape[axis - 1]
    points = param.integers("slice_point")
    if not points and number and whole % number == 0:
        points = [whole // number * (place + 1) for place in range(number - 1)]
    ends = [0, *points, whole]
    if len(points) != number - 1 or any(a >= b for a, b in pairwise(ends)):
        raise net.made.error(
            f"'{layer.name}' cannot split {whole} into {number} equal parts", layer.line
        )
    parts = []
    for start, stop in pairwise(ends):
        if axis == 1:
            parts.append(net.add(layer, "slice", start=start, stop=stop))
        else:
            size = (*shape[: axis - 1], stop - start, *shape[axis:])
            parts.append(net.opaque(layer, size=size))
    return parts


def permute(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add another order of the axes."""
    shape = net.shape(layer)
    order = layer.param("permute").integers("order")
    order += [axis for axis in range(len(shape) + 1) if axis not in order]
    if sorted(order) != list(range(len(shape) + 1)) or order[0] != 0:
        raise net.made.error(
            f"'order' of '{layer.name}' must be a permutation that keeps the batch first",
            layer.line,
        )
    if order == sorted(order):
        return [net.node(layer)]
    return [net.opaque(layer, size=tuple(shape[axis - 1] for axis in order[1:]))]


def shuffle(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add the shuffle of ShuffleNet."""
    groups = layer.param("shuffle_channel").integer("group", 1)
    return [net.add(layer, "channel_shuffle", groups=groups)]


def upsample(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add nearest upsampling; there is no operator for the unpooling of SegNet."""
    param = layer.param("upsample")
    scale = param.integer("scale", 2)
    if len(layer.sources) == 1 and "upsample_h" not in param:
        return [net.add(layer, "upsample", scale=scale)]
    shape = net.shape(layer)
    size = (param.integer("upsample_h", shape[1] * scale), param.integer("upsample_w",
            shape[-1] * scale))  # fmt: skip
    return [net.opaque(layer, size=(shape[0], *size))]


def interp(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add bilinear resizing with aligned corners, as in DeepLab and PSPNet."""
    param = layer.param("interp")
    channels, *sizes = net.shape(layer)
    sizes = [size + param.integer("pad_beg", 0) + param.integer("pad_end", 0) for size in sizes]
    shrink, zoom = param.integer("shrink_factor", 1), param.integer("zoom_factor", 1)
    if min(shrink, zoom) < 1 or min(sizes) < 1:
        raise net.made.error(f"'{layer.name}' needs factors and sizes of at least 1", layer.line)
    sizes = [(size - 1) // shrink + 1 for size in sizes]
    sizes = [size + (size - 1) * (zoom - 1) for size in sizes]
    if len(layer.sources) > 1:
        sizes = list(net.made.shape(net.nodes(layer)[1])[1:])
    if "height" in param and "width" in param:
        sizes = [param.integer("height", 1), param.integer("width", 1)]
    return [net.opaque(layer, 7, size=(channels, *sizes))]


def crop(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a crop of a map to the size of another one, from an axis on."""
    axis = net.axis(layer, layer.param("crop"), default=2)
    nodes = net.nodes(layer)
    if len(nodes) != 2 or axis == 0:
        raise net.made.error(
            f"'{layer.name}' needs two inputs: a value, and one of the size to crop to", layer.line
        )
    shape, like = (net.made.shape(node) for node in nodes)
    size = (*shape[: axis - 1], *like[axis - 1 :])
    if len(size) != len(shape) or any(a > b for a, b in zip(size, shape, strict=True)):
        raise net.made.error(f"'{layer.name}' crops to a larger size", layer.line)
    return [nodes[0] if size == shape else net.opaque(layer, size=size)]


def reduction(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a sum, mean or norm over all axes from a given one on."""
    axis = net.axis(layer, layer.param("reduction"), default=0)
    shape = net.shape(layer)
    size = shape[: axis - 1] if axis else ()
    return [net.opaque(layer, None, size=size or (1,), products=0, work=prod(shape))]


def roi_pooling(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add the pooling of one region to a given size."""
    param = layer.param("roi_pooling")
    size = (param.integer("pooled_h", 0), param.integer("pooled_w", 0))
    return [net.opaque(layer, None, products=0, size=(net.shape(layer)[0], *size))]
