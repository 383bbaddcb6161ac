"""Layers of ncnn that normalise, scale or shift a blob."""

from __future__ import annotations

from math import prod, sqrt

from archscope.importers.ncnn.conversion import Conversion, Value
from archscope.importers.ncnn.merges import paired
from archscope.importers.ncnn.param_file import ParamLayer


def lrn(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add local response normalisation, across channels or within each."""
    size = layer.integer(1, 5)
    alpha, beta, k = layer.number(2, 1), layer.number(3, 0.75), layer.number(4, 1)
    if layer.integer(0, 0) == 0:
        return [Value(net.add(layer, "lrn", size=size, alpha=alpha, beta=beta, k=k))]
    if size % 2 == 0 or size < 1 or len(net.shape(layer)) != 3:
        return [Value(net.opaque(layer, max(size, 0) ** 2 + 5))]
    node = net.node(layer)
    squares = net.part(layer, "square", "unary", [node], function="square")
    means = net.part(layer, "mean", "avgpool", [squares], kernel=size, stride=1, padding=size // 2)
    words = (("mul_scalar", alpha), ("add_scalar", k), ("pow", -beta))
    factor = net.chained(layer, Value(means), *words)
    return [Value(net.add(layer, "mul", [node, factor.node]))]


def batchnorm(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a batch norm."""
    channels = net.shape(layer)[0]
    if layer.integer(0, channels) != channels:
        raise net.error(layer, f"states {layer.integer(0, 0)} channels, its input has {channels}")
    return [Value(net.add(layer, "batchnorm", eps=layer.number(1, 0)))]


def groupnorm(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a group norm; an instance norm has a group for each channel."""
    single = layer.kind == "InstanceNorm"
    groups = net.shape(layer)[0] if single else layer.integer(0, 1)
    eps = layer.number(1 if single else 2, 0.001)
    affine = layer.integer(2 if single else 3, 1) != 0
    return [Value(net.add(layer, "groupnorm", groups=groups, eps=eps, affine=affine))]


def mvn(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Subtract the mean of each channel or of all, and divide by the standard deviation."""
    shape, across = net.shape(layer), layer.integer(1, 0) != 0
    if layer.integer(0, 0):
        groups = 1 if across else shape[0]
        eps = layer.number(2, 0.0001)
        return [Value(net.add(layer, "groupnorm", groups=groups, eps=eps, affine=False))]
    node = net.node(layer)
    axes = [*range(0 if across else 1, len(shape))]
    mean = net.part(layer, "mean", "reduce", [node], function="mean", axes=axes)
    return [Value(net.add(layer, "sub", [node, mean]))]


def rows_norm(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a norm of the last axis, or the last two: LayerNorm or RMSNorm."""
    word = layer.kind.lower()
    given = {"eps": layer.number(1, 0.001), "affine": layer.integer(2, 1) != 0}
    value, shape, stated = net.value(layer), net.shape(layer), layer.integer(0, 0)
    rank = len(shape)
    joined = next((n for n in (2, 3) if n < rank and stated == prod(shape[-n:])), 0)
    if rank > 2 and stated != shape[-1] and joined:
        rows = net.reshaped(layer, "rows", net.node(layer), (*shape[:-joined], stated))
        value, rank = Value(rows), rank - joined + 1
    elif given["affine"] and stated != shape[-1]:
        raise net.error(layer, f"normalises {stated} numbers, its input has {shape[-1]}")
    node = net.turned(layer, value, (rank - 1, *range(rank - 1)))
    normed = Value(net.add(layer, word, [node], **given), (*range(1, rank), 0) if rank > 1 else ())
    if not (rank < len(shape)):
        return [normed]
    flat = net.plain(normed, layer.name, layer.line)
    return [Value(net.reshaped(layer, "map", flat, shape))]


CAFFE, TORCH = 0, 1  # how Normalize limits its norm: by addition, or from below


def normalize(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the L2 norm at each position, of each channel or of all, with learned factors."""
    shape, node = net.shape(layer), net.node(layer)
    positions, channels = layer.integer(0, 0) != 0, layer.integer(4, 0) != 0
    eps = layer.number(2, 0.0001)
    given = {"eps": eps if layer.integer(9, CAFFE) == TORCH else sqrt(max(eps, 0.0))}
    if not positions:
        if not channels:
            return [Value(net.opaque(layer, 5))]
        node = net.part(layer, "norm", "normalize", [node], **given)
    else:
        size = (prod(shape),) if channels else (shape[0], prod(shape[1:]))
        rows = net.reshaped(layer, "rows", node, size)
        rows = net.part(layer, "norm", "normalize", [rows], axis=len(size) - 1, **given)
        node = net.reshaped(layer, "map", rows, shape)
    if layer.integer(3, 0) == shape[0] and not layer.integer(1, 0):
        return [Value(net.add(layer, "scale", [node]))]
    ones = (1,) * len(shape)
    return [Value(net.add(layer, "learned", [node], size=ones, function="mul"))]


def scale(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a factor for each channel: learned, or of another blob."""
    if len(layer.bottoms) > 1:
        return [paired(net, layer, 2)]
    return [Value(net.add(layer, "scale", bias=layer.integer(1, 0) != 0))]


def bias(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a learned shift for each channel."""
    shape = net.shape(layer)
    return [Value(net.add(layer, "learned", size=(shape[0], *(1 for _ in shape[1:]))))]
