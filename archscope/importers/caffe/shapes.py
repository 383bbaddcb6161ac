"""Layers of Caffe that reshape, join and split maps, or read whole maps."""

from __future__ import annotations

from itertools import pairwise
from math import prod

from archscope.importers.caffe.conversion import Conversion
from archscope.importers.caffe.definition import CaffeLayer
from archscope.importers.caffe.text_format import Message
from archscope.importers.caffe.weights import Form
from archscope.importers.darknet_reorg import reorg_steps
from archscope.ir import text_of


def inner_product(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a fully connected layer over all axes after the batch."""
    param = layer.param("inner_product")
    out, bias = param.integer("num_output", 0), param.flag("bias_term", True)
    shape = net.shape(layer)
    axis = net.axis(layer, param)
    if axis == 0:
        raise net.made.error(
            f"'{layer.name}' joins the images of a batch, which is not supported", layer.line
        )
    if axis != 1:
        return [_at_each(net, layer, axis, out, bias)]
    node = net.node(layer)
    if len(shape) > 1:
        node = net.part(layer, "flatten", "flatten", [node])
    node = net.add(layer, "linear", [node], out=out, bias=bias)
    return [net.share(layer, net.store(layer, node, bias=bias, form=_form(param)))]


def _form(param: Message) -> Form:
    """Return how the weights of a fully connected layer are stored."""
    return "turned" if param.flag("transpose", False) else "plain"


def margin_product(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add the product of SphereFace with weights of length 1, whose margin depends on labels."""
    out, values = layer.param("margin_inner_product").integer("num_output", 0), net.shape(layer)
    each = prod(values)
    return [net.opaque(layer, 1, size=(out,), learned=each * out, products=each * out)]


def _at_each(net: Conversion, layer: CaffeLayer, axis: int, out: int, bias: bool) -> str:
    """Add a fully connected layer over the axes from one on, at each place of those before it.

    It is a convolution over places: the values to multiply are its channels.
    """
    shape = net.shape(layer)
    places, values = prod(shape[: axis - 1]), prod(shape[axis - 1 :])
    node = net.part(layer, "rows", "reshape", [net.node(layer)], size=(places, values))
    node = net.part(layer, "columns", "permute", [node], order=(1, 0))
    node = net.part(layer, "conv", "conv", [node], out=out, bias=bias)
    form = _form(layer.param("inner_product"))
    node = net.share(layer, net.store(layer, node, bias=bias, form=form))
    node = net.part(layer, "places", "permute", [node], order=(1, 0))
    return net.add(layer, "reshape", [node], size=(*shape[: axis - 1], out))


def softmax(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a softmax, over the channels unless it states another axis."""
    axis = net.axis(layer, layer.param("softmax"))
    if axis == 0:
        return [net.opaque(layer, 5)]
    return [net.add(layer, "softmax", axis=axis - 1)]


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
            f"'{layer.name}' cannot reshape {text_of(whole)} to {sizes}", layer.line
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
    if param.flag("per_fla_fuse", False):  # Intel's Caffe turns and flattens maps on the way
        nodes = [
            net.part(layer, f"turned{at}", "permute", [node], order=(1, 2, 0))
            for at, node in enumerate(nodes)
        ]
        nodes = [net.part(layer, f"flat{at}", "flatten", [node]) for at, node in enumerate(nodes)]
    if len(nodes) == 1:
        return nodes
    if axis == 0 and all(node in net.regions for node in nodes):
        return nodes[:1]  # regions of several maps, of which one is counted
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
    return [
        net.add(layer, "slice", start=start, stop=stop, axis=axis - 1)
        for start, stop in pairwise(ends)
    ]


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
    return [net.add(layer, "permute", order=[axis - 1 for axis in order[1:]])]


def reorg(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add blocks of positions as channels, in the order of darknet's [reorg]."""
    param, node = layer.param("reorg"), net.node(layer)
    (channels, *sizes), step = net.shape(layer), param.integer("stride", 2)
    uneven = step < 1 or channels % step**2 or any(size % step for size in sizes)
    if uneven or len(sizes) != 2 or param.flag("reverse", False):
        raise net.made.error(
            f"'{layer.name}' needs a stride that divides both sides and whose square divides the"
            " channels, and no 'reverse'",
            layer.line,
        )
    *parts, (last, given) = reorg_steps(net.shape(layer), step)
    for title, (word, attributes) in zip(("wide", "blocks", "shuffle"), parts, strict=True):
        node = net.part(layer, title, word, [node], **attributes)
    return [net.add(layer, last, [node], **given)]


def shuffle(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add the shuffle of ShuffleNet."""
    groups = layer.param("shuffle_channel").integer("group", 1)
    return [net.add(layer, "channel_shuffle", groups=groups)]


def upsample(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add nearest upsampling, or unpooling to the places of a second input as in SegNet."""
    param, shape = layer.param("upsample"), net.shape(layer)
    scale = param.integer("scale", 2)
    if len(layer.sources) == 1 and "upsample_h" not in param:
        return [net.add(layer, "upsample", scale=scale)]
    sides = zip("hw", shape[1:], strict=False)
    size = tuple(param.integer(f"upsample_{name}", side * scale) for name, side in sides)
    mask = net.nodes(layer)[-1]
    if mask in net.places and net.made.shape(mask) == shape:
        window, map_size = net.places[mask]
        if size == map_size:
            node = net.node(layer)
            return [net.add(layer, "max_unpool", [node, mask], **window, size=size)]
    return [net.opaque(layer, size=(shape[0], *size))]


def interp(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add bilinear resizing with aligned corners, as in DeepLab and PSPNet, after a crop."""
    param, node = layer.param("interp"), net.node(layer)
    channels, *sizes = net.shape(layer)
    begin, end = -param.integer("pad_beg", 0), -param.integer("pad_end", 0)
    if min(begin, end) < 0 or (sizes and begin + end >= min(sizes)):
        raise net.made.error(
            f"'pad_beg' and 'pad_end' of '{layer.name}' must cut off some positions", layer.line
        )
    for axis, size in enumerate(sizes, start=1):
        if begin or end:
            cut = {"start": begin, "stop": size - end, "axis": axis}
            node = net.part(layer, f"crop{axis}", "slice", [node], **cut)
    sizes = [size - begin - end for size in sizes]
    shrink, zoom = param.integer("shrink_factor", 1), param.integer("zoom_factor", 1)
    if min(shrink, zoom) < 1:
        raise net.made.error(f"'{layer.name}' needs factors of at least 1", layer.line)
    sizes = [(size - 1) // shrink + 1 for size in sizes]
    sizes = [size + (size - 1) * (zoom - 1) for size in sizes]
    if len(layer.sources) > 1:
        sizes = list(net.made.shape(net.nodes(layer)[1])[1:])
    if "height" in param and "width" in param:
        sizes = [param.integer("height", 1), param.integer("width", 1)]
    if (channels, *sizes) == net.made.shape(node):
        return [node]
    return [net.add(layer, "upsample", [node], size=sizes, mode="linear", align_corners=True)]


def crop(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a crop of a map to the size of another one, from an axis on."""
    param = layer.param("crop")
    axis = net.axis(layer, param, default=2)
    nodes = net.nodes(layer)
    if len(nodes) != 2 or axis == 0:
        raise net.made.error(
            f"'{layer.name}' needs two inputs: a value, and one of the size to crop to", layer.line
        )
    node = nodes[0]
    shape, like = (net.made.shape(node) for node in nodes)
    offsets = param.integers("offset") or [0]
    axes = range(axis - 1, len(shape))
    if len(offsets) == 1:
        offsets = offsets * len(axes)
    if len(shape) != len(like) or len(offsets) != len(axes):
        raise net.made.error(f"'{layer.name}' needs an offset for each axis it crops", layer.line)
    for at, offset in zip(axes, offsets, strict=True):
        if not 0 <= offset <= shape[at] - like[at]:
            raise net.made.error(
                f"'{layer.name}' cannot crop {text_of(shape)} to {text_of(like)} at {offset}",
                layer.line,
            )
        if like[at] != shape[at]:
            cut = {"start": offset, "stop": offset + like[at], "axis": at}
            node = net.part(layer, f"axis{at}", "slice", [node], **cut)
    return [node]


def reduction(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a sum, mean or norm over all axes from a given one on."""
    param, shape = layer.param("reduction"), net.shape(layer)
    axis = net.axis(layer, param, default=0)
    if axis == 0:
        return [net.opaque(layer, None, size=(1,), products=0, work=prod(shape))]
    kind = param.choice("operation", "SUM", "SUM", "ASUM", "SUMSQ", "MEAN")  # counted from 1
    node = net.node(layer)
    if kind == "SUMSQ":
        node = net.part(layer, "square", "unary", [node], function="square")
    if axis == 1 and len(shape) > 1:
        node = net.part(layer, "flatten", "flatten", [node])
    function = {"ASUM": "l1", "MEAN": "mean"}.get(kind, "sum")
    axes = tuple(range(axis - 1, len(net.made.shape(node))))
    node = net.add(layer, "reduce", [node], function=function, axes=axes, keep=axis == 1)
    factor = param.number("coeff", 1)
    if factor == 1:
        return [node]
    return [net.part(layer, "coeff", "mul_scalar", [node], factor=factor)]


def tile(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add copies of a value along an axis."""
    param = layer.param("tile")
    axis = net.axis(layer, param)
    if axis == 0:
        raise net.made.error(
            f"'{layer.name}' repeats the batch, which is not supported", layer.line
        )
    return [net.add(layer, "tile", times=param.integer("tiles", 0), axis=axis - 1)]


def parameter(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add learned values that no input determines."""
    size = layer.param("parameter").message("shape").integers("dim")
    if len(size) > 1 and size[0] == 1:
        size = size[1:]  # without the batch
    inputs = [node.name for node in net.made.builder.nodes.values() if not node.inputs]
    node = net.add(layer, "parameter", inputs[:1], size=size)
    return [net.share(layer, net.store(layer, node))]
