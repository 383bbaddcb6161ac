"""Layers of ncnn that reduce axes, or work along one."""

from __future__ import annotations

from archscope.importers.ncnn.conversion import Conversion, Step, Value
from archscope.importers.ncnn.param_file import ParamLayer
from archscope.importers.ncnn.shapes import axes_of, axis_of

ALONG = {"Softmax": "softmax", "CumulativeSum": "cumsum", "GLU": "glu"}


def along(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a function along an axis."""
    value = net.value(layer)
    axis = net.along(value, axis_of(net, layer, 0))
    return [Value(net.add(layer, ALONG[layer.kind], [value.node], axis=axis), value.order)]


MEAN = 3
FUNCTIONS = {0: "sum", 1: "l1", 2: "sum", MEAN: "mean", 4: "max", 5: "min", 6: "prod", 7: "l1",
             8: "l2", 9: "sum", 10: "logsumexp"}  # fmt: skip
SQUARES, LOGARITHM = 2, 9  # which sum squares, and take the logarithm of the sum


def reduction(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a function of the values along some axes."""
    shape, kept, kind = net.shape(layer), layer.integer(4, 0) != 0, layer.integer(0, 0)
    axes = layer.integers(3)
    if layer.integer(1, 1) or len(shape) == 1:
        axes = [*range(len(shape))]
    elif not layer.integer(5, 0):
        axes = [axis - 1 if axis > 0 else axis for axis in axes]  # with the batch, at first
    if kind not in FUNCTIONS:
        raise net.error(layer, f"reduces by the unknown function {kind}")
    gone = axes_of(net, layer, axes, len(shape))
    size = tuple(
        1 if axis in gone else side for axis, side in enumerate(shape) if kept or axis not in gone
    ) or (1,)
    value = net.value(layer)
    if not gone:
        return [value]
    if kind == MEAN and len(shape) > 1 and gone == [*range(1, len(shape))]:
        node = net.part(layer, "pool", "global_avgpool", [net.node(layer)])
    else:
        node = net.plain(value, layer.name, layer.line)
        if kind == SQUARES:
            node = net.part(layer, "square", "unary", [node], function="square")
        given = {"axes": gone, "keep": kept or len(gone) == len(shape)}
        node = net.part(layer, "reduce", "reduce", [node], function=FUNCTIONS[kind], **given)
    steps: list[Step] = [("unary", "log")] * (kind == LOGARITHM)
    factor = layer.number(2, 1)
    steps += [("mul_scalar", factor)] * (factor != 1)
    node = net.chained(layer, Value(node), *steps).node
    if size == net.made.shape(node):
        return [Value(node)]
    return [Value(net.reshaped(layer, "vector", node, size))]


def statistics(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the mean of each channel, and its standard deviation if asked for."""
    shape, node = net.shape(layer), net.node(layer)
    given = {"axes": [*range(1, len(shape))], "keep": False}
    mean = net.part(layer, "mean", "reduce", [node], function="mean", **given)
    if not layer.integer(0, 0):
        return [Value(mean)]
    spread = net.part(layer, "std", "reduce", [node], function="std", correction=0, **given)
    return [Value(net.add(layer, "concat", [mean, spread]))]
