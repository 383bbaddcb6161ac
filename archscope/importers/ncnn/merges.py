"""Layers of ncnn that combine several blobs element by element."""

from __future__ import annotations

from functools import partial
from math import log, prod

from archscope.importers.ncnn.conversion import Conversion, Step, Value
from archscope.importers.ncnn.param_file import ParamLayer
from archscope.importers.ncnn.pointwise import costed
from archscope.ir import Shape

ADD, SUB, MUL, DIV, MAX, MIN, POW, RSUB, RDIV, RPOW = range(10)
FLOOR_DIV, RFLOOR_DIV = 15, 16
"""The operations of BinaryOp, of which those with R exchange the inputs."""

WORDS = {ADD: "add", SUB: "sub", MUL: "mul", DIV: "div", MAX: "maximum", MIN: "minimum"}
LEARNED = {**WORDS, POW: "pow", RSUB: "rsub", RDIV: "rdiv"}
SWAPPED = {SUB: RSUB, DIV: RDIV, POW: RPOW, RSUB: SUB, RDIV: DIV, RPOW: POW}


def expanded(shape: Shape, other: Shape) -> Shape:
    """Return the shape with as many axes as another one, as BinaryOp broadcasts it.

    A vector belongs to the first axis if it has its size, else to the last.
    """
    more = (1,) * (len(other) - len(shape))
    if len(shape) == 1 and shape[0] != other[0]:
        return *more, *shape
    return *shape, *more


def paired(net: Conversion, layer: ParamLayer, kind: int) -> Value:
    """Add an operation on two blobs, one of which may be a constant of the file."""
    if kind in (FLOOR_DIV, RFLOOR_DIV):
        ratio = paired(net, layer, DIV if kind == FLOOR_DIV else RDIV)
        return net.chained(layer, ratio, ("unary", "floor"))
    for place, number in ((1, kind), (0, SWAPPED.get(kind, kind))):
        constant = net.constant(layer, place)
        if constant and number in LEARNED and net.constant(layer, 1 - place) is None:
            return _learned(net, layer, 1 - place, constant.shape, LEARNED[number])
    if kind in (RSUB, RDIV):
        kind, places = SWAPPED[kind], (1, 0)
    else:
        places = (0, 1)
    values = [net.value(layer, place) for place in places]
    shapes = [net.shape_of(value) for value in values]
    if kind not in WORDS:
        return Value(net.opaque(layer, 1, size=max(shapes, key=prod)))
    if values[0].order == values[1].order and len(shapes[0]) == len(shapes[1]):
        return Value(net.add(layer, WORDS[kind], [value.node for value in values]), values[0].order)
    nodes = [net.plain(value, layer.name, layer.line) for value in values]
    if len(shapes[0]) != len(shapes[1]):
        few = min((0, 1), key=lambda place: len(shapes[place]))
        size = expanded(shapes[few], shapes[1 - few])
        nodes[few] = net.reshaped(layer, "expanded", nodes[few], size)
    return Value(net.add(layer, WORDS[kind], nodes))


def _learned(net: Conversion, layer: ParamLayer, place: int, size: Shape, word: str) -> Value:
    """Add an operation on a blob and a constant."""
    value, shape = net.value(layer, place), net.shape(layer, place)
    if len(shape) < len(size):
        node = net.plain(value, layer.name, layer.line)
        value = Value(net.reshaped(layer, "expanded", node, expanded(shape, size)))
    elif len(size) < len(shape):
        size = expanded(size, shape)
    if value.order:
        size = tuple(size[value.order.index(axis)] for axis in range(len(size)))
    return Value(net.add(layer, "learned", [value.node], size=size, function=word), value.order)


def binary(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add an operation on two blobs, or on a blob and a number."""
    kind = layer.integer(0, 0)
    if len(layer.bottoms) > 1 and not layer.integer(1, 0):
        return [paired(net, layer, kind)]
    number, value = layer.number(2, 0), net.value(layer)
    apply = partial(net.mapped, layer)
    if kind in (ADD, SUB):
        return [apply("add_scalar", value=number if kind == ADD else -number)]
    if kind == MUL:
        return [apply("mul_scalar", factor=number)]
    if kind == DIV and number:
        return [apply("div_scalar", divisor=number)]
    if kind in (MAX, MIN):
        return [apply("clamp", **{"min" if kind == MAX else "max": number})]
    if kind in (POW, RSUB):
        return [apply("pow", exponent=number) if kind == POW else apply("rsub", value=number)]
    if kind == FLOOR_DIV and number:
        return [net.chained(layer, value, ("div_scalar", number), ("unary", "floor"))]
    if kind in (RDIV, RFLOOR_DIV):
        steps: list[Step] = [("unary", "reciprocal")] + [("mul_scalar", number)] * (number != 1)
        steps += [("unary", "floor")] * (kind == RFLOOR_DIV)
        return [net.chained(layer, value, *steps)]
    if kind == RPOW and number > 0:
        return [net.chained(layer, value, ("mul_scalar", log(number)), ("unary", "exp"))]
    return costed(1, net, layer)


def eltwise(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a product, a sum, with factors if it has some, or a maximum."""
    kind, nodes = layer.integer(0, 0), net.nodes(layer)
    factors = [float(value) for value in layer.params.get(1, [])] or [1.0] * len(nodes)
    if kind not in (0, 1, 2) or len(factors) != len(nodes):
        return costed(len(nodes) - 1, net, layer)
    if kind == 2:
        node, *others = nodes
        for place, other in enumerate(others, start=1):
            last = place == len(others)
            node = net.add(layer, "maximum", [node, other]) if last else net.part(
                layer, f"maximum{place}", "maximum", [node, other])  # fmt: skip
        return [Value(node)]
    if kind == 1:
        nodes = [
            node
            if factor == 1
            else net.part(layer, f"times{i}", "mul_scalar", [node], factor=factor)
            for i, (node, factor) in enumerate(zip(nodes, factors, strict=True))
        ]
    return [Value(net.add(layer, "add" if kind else "mul", nodes))]
