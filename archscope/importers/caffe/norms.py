"""Layers of Caffe that work on each channel or normalise, and learned factors and shifts."""

from __future__ import annotations

from typing import Any

from archscope.importers.caffe.conversion import Conversion
from archscope.importers.caffe.definition import CaffeLayer
from archscope.importers.caffe.weights import AFFINE, STATISTICS
from archscope.ops.norm import BatchNorm


def lrn(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add local response normalisation, across channels or within each."""
    param = layer.param("lrn")
    size = param.integer("local_size", 5)
    given: dict[str, Any] = {"alpha": param.number("alpha", 1), "beta": param.number("beta", 0.75)}
    if param.choice("norm_region", "ACROSS_CHANNELS", "WITHIN_CHANNEL") == "WITHIN_CHANNEL":
        return [_within_channel(net, layer, size, **given)]
    return [net.add(layer, "lrn", size=size, k=param.number("k", 1), **given)]


def _within_channel(
    net: Conversion, layer: CaffeLayer, size: int, alpha: float, beta: float
) -> str:
    """Add the quotient of a map and a power of the mean square around each position."""
    if size % 2 == 0:
        raise net.made.error(f"'local_size' of '{layer.name}' must be odd, got {size}", layer.line)
    node = net.part(layer, "square", "unary", [net.node(layer)], function="square")
    node = net.part(
        layer, "mean", "avgpool", [node], kernel=size, stride=1, padding=(size - 1) // 2
    )
    node = net.part(layer, "alpha", "mul_scalar", [node], factor=alpha)
    node = net.part(layer, "shift", "add_scalar", [node], value=1.0)
    node = net.part(layer, "beta", "pow", [node], exponent=-beta)
    return net.add(layer, "mul", [net.node(layer), node])


def batchnorm(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a batch norm; Caffe's has no learned weights, the Scale after it has."""
    param = layer.param("batch_norm", "bn")
    momentum = round(1 - param.number("moving_average_fraction", 0.999), 9)
    affine = layer.kind == "bn" or param.flag("scale_bias", False)
    eps = param.number("eps", 1e-5)
    node = net.add(layer, "batchnorm", eps=eps, momentum=momentum, affine=affine)
    if layer.kind == "bn":
        net.store(layer, node, *AFFINE, *STATISTICS, form="affine+statistics")
    elif affine:
        net.store(layer, node, *STATISTICS, *AFFINE, form="statistics+affine")
    else:
        net.store(layer, node, *STATISTICS, form="statistics")
    return [net.share(layer, node) if affine else node]


def scale(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a factor for each channel, merged with a batch norm before it, or by another value."""
    param = layer.param("scale")
    axis = net.axis(layer, param)
    bias = param.flag("bias_term", False)
    if len(layer.sources) > 1:
        return [_with_second(net, layer, axis, "mul")]
    node = net.node(layer)
    axes = param.integer("num_axes", 1)
    if axis != 1 or axes != 1:
        nodes = [_learned(net, layer, node, axis, axes, "mul")]
        if bias:
            nodes.append(_learned(net, layer, nodes[0], axis, axes, "add"))
        net.store_each(layer, *((node, "weight") for node in nodes))
        return nodes[-1:]
    before = net.made.builder.nodes[node].op
    alone = net.found.reads[layer.sources[0]] == 1
    if alone and bias and isinstance(before, BatchNorm) and not before.affine:
        net.replace(node, affine=True)
        return [net.share(layer, net.store(layer, node, bias=True))]
    node = net.store(layer, net.add(layer, "scale", bias=bias), bias=bias)
    return [net.share(layer, node)]


def _with_second(net: Conversion, layer: CaffeLayer, axis: int, word: str) -> str:
    """Add a function of two values, the second of which starts at an axis of the first."""
    node, other = net.nodes(layer)[:2]
    shape, others = net.made.shape(node), net.made.shape(other)
    if axis == 0 and len(others) < len(shape) and others == shape[: len(others)]:
        ones = (1,) * (len(shape) - len(others))
        other = net.part(layer, "gate", "reshape", [other], size=(*others, *ones))
    return net.add(layer, word, [node, other])


def _learned(
    net: Conversion, layer: CaffeLayer, node: str, axis: int, axes: int, function: str
) -> str:
    """Add a learned factor or shift for each place along some axes, counted with the batch."""
    shape = net.made.shape(node)
    if axis == 0 and axes != 0:
        raise net.made.error(
            f"'{layer.name}' learns values for each image of a batch, which is not supported",
            layer.line,
        )
    end = len(shape) + 1 if axes < 0 else axis + axes
    size = [n if axis <= place < end else 1 for place, n in enumerate(shape, start=1)]
    return net.part(layer, function, "learned", [node], function=function, size=size)


def bias(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a learned shift, or another value, which starts at an axis of the first."""
    param = layer.param("bias")
    axis = net.axis(layer, param)
    if len(layer.sources) > 1:
        return [_with_second(net, layer, axis, "add")]
    axes = param.integer("num_axes", 1)
    node = _learned(net, layer, net.node(layer), axis, axes, "add")
    return [net.store(layer, node)]


def normalize(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add the L2 norm of SSD, over channels or the whole map, with a learned factor."""
    param = layer.param("norm", "normalize")
    node, shape = net.node(layer), net.shape(layer)
    if param.flag("across_spatial", True) and len(shape) > 1:
        node = net.part(layer, "flat", "flatten", [node])
        node = net.part(layer, "norm", "normalize", [node])
        node = net.part(layer, "map", "reshape", [node], size=shape)
    else:
        node = net.part(layer, "norm", "normalize", [node])
    if param.flag("channel_shared", True):
        node = net.add(layer, "learned", [node], function="mul", size=(1,) * len(shape))
    else:
        node = net.add(layer, "scale", [node])
    return [net.share(layer, net.store(layer, node))]


def mean_variance(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add MVN: each channel, or the whole map, with mean 0 and usually deviation 1."""
    param, node = layer.param("mvn"), net.node(layer)
    rank = len(net.shape(layer))
    first = 0 if param.flag("across_channels", False) else 1
    axes = tuple(range(first, rank)) or (0,)

    def mean(title: str, of: str) -> str:
        return net.part(layer, title, "reduce", [of], function="mean", axes=axes)

    centred = [node, mean("mean", node)]
    if not param.flag("normalize_variance", True):
        return [net.add(layer, "sub", centred)]
    node = net.part(layer, "centred", "sub", centred)
    spread = mean("variance", net.part(layer, "square", "unary", [node], function="square"))
    spread = net.part(layer, "deviation", "unary", [spread], function="sqrt")
    eps = param.number("eps", 1e-9)
    spread = net.part(layer, "eps", "add_scalar", [spread], value=eps)
    return [net.add(layer, "div", [node, spread])]
