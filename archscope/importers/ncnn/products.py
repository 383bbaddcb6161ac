"""Layers of ncnn that multiply rows with weights, or blobs with each other.

The product of rows with weights is a convolution of their transpose with a kernel of 1, which
several layers share without permutations between them.
"""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.ncnn.conversion import Conversion, Value
from archscope.importers.ncnn.param_file import ParamLayer
from archscope.importers.ncnn.pointwise import activated
from archscope.importers.ncnn.windows import quantized, weighted
from archscope.ir import Shape


def rows(
    net: Conversion, layer: ParamLayer, value: Value, out: int, bias: bool, title: str = ""
) -> Value:  # fmt: skip
    """Add the product of the last axis of a blob with weights."""
    rank, word = len(net.shape_of(value)), "conv"
    node = net.turned(layer, value, (rank - 1, *range(rank - 1)))
    if rank == 1:
        word = "linear"
    given: dict[str, Any] = {"out": out, "bias": bias}
    made = net.part(layer, title, word, [node], **given) if title else net.add(
        layer, word, [node], **given)  # fmt: skip
    term = layer.integer(18, 0)
    if term or (layer.kind == "InnerProduct" and layer.integer(8, 0)):
        quantized(net, made, term // 100 if term >= 400 else 8)
    return Value(made, (*range(1, rank), 0) if rank > 1 else ())


def inner_product(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a fully connected layer over all values, or over each row if these fit."""
    shape, out = net.shape(layer), layer.integer(0, 0)
    bias, stated = layer.integer(1, 0) != 0, layer.integer(2, 0)
    if len(shape) == 2 and out and stated == shape[1] * out:
        return [activated(net, layer, rows(net, layer, net.value(layer), out, bias))]
    node = net.node(layer)
    if len(shape) > 1:
        node = net.part(layer, "flatten", "flatten", [node])
    made = weighted(net, layer, "linear", node, stated, bias=bias)
    return [activated(net, layer, Value(made))]


SCALAR, ROWS, COLUMN, FULL, LINE = range(5)  # the shapes of a constant that Gemm adds


def gemm(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the product of a blob with learned weights, or with another blob."""
    first, second = layer.integer(4, 0) != 0, layer.integer(5, 0) != 0
    if first and second:
        raise net.error(layer, "multiplies two constants, which is not supported")
    value = _with_weights(net, layer, first) if first or second else _of_two(net, layer)
    more = len(layer.bottoms) - (2 - first - second)
    if more > 0 and not layer.integer(6, 0):
        value = _plus(net, layer, value, len(layer.bottoms) - 1)
    alpha = layer.number(0, 1)
    if alpha != 1 and not (first or second):
        value = net.chained(layer, value, ("mul_scalar", alpha))
    if layer.integer(14, 0):
        value = Value(value.node, () if value.order else (1, 0))
    if layer.integer(11, 0):
        high, wide = net.shape_of(value)
        node = net.plain(value, layer.name, layer.line)
        value = Value(net.reshaped(layer, "map", node, (high, 1, wide)))
    return [value]


def _matrix(net: Conversion, layer: ParamLayer, place: int, turned: bool) -> Value:
    """Return an input of Gemm with its two axes in the order of the product."""
    shape, value = net.shape(layer, place), net.value(layer, place)
    if len(shape) != 2:
        high, wide = {1: (1, *shape), 3: (shape[0], shape[-1])}.get(len(shape), (0, 0))
        if high * wide != prod(shape):
            raise net.error(layer, f"needs matrices, got {len(shape)} axes")
        value = Value(net.reshaped(layer, "matrix", net.node(layer, place), (high, wide)))
    if not turned:
        return value
    return Value(value.node, () if value.order == (1, 0) else (1, 0))


def _with_weights(net: Conversion, layer: ParamLayer, first: bool) -> Value:
    """Add the product with weights, which may be the first factor, and a constant."""
    turned = layer.integer(3, 0) == 0 if first else layer.integer(2, 0) != 0
    value = _matrix(net, layer, 0, turned)
    inner, out = layer.integer(9, 0), layer.integer(7 if first else 8, 0)
    found = net.shape_of(value)[-1]
    if inner != found:
        raise net.error(layer, f"needs rows of {inner} values, got {found}")
    kind = layer.integer(10, 0) if layer.integer(6, 0) else None
    bias = kind in ((ROWS, COLUMN) if first else (LINE,))
    value = rows(net, layer, value, out, bias)
    if first:  # each column of the other factor was a row
        value = Value(value.node)
    if kind is None or kind < 0 or bias:
        return value
    high, wide = net.shape_of(value)
    size = {SCALAR: (1, 1), FULL: (high, wide), LINE: (1, wide)}.get(kind, (high, 1))
    if value.order:
        size = size[::-1]
    return Value(net.part(layer, "plus", "learned", [value.node], size=size), value.order)


def _of_two(net: Conversion, layer: ParamLayer) -> Value:
    left = _matrix(net, layer, 0, layer.integer(2, 0) != 0)
    right = _matrix(net, layer, 1, layer.integer(3, 0) != 0)
    nodes = [net.plain(value, layer.name, layer.line) for value in (left, right)]
    return Value(net.add(layer, "matmul", nodes))


def _plus(net: Conversion, layer: ParamLayer, value: Value, place: int) -> Value:
    """Add a blob to a product."""
    node, shape = net.node(layer, place), net.shape(layer, place)
    high, wide = net.shape_of(value)
    if len(shape) == 1:
        size = (shape[0], 1) if shape[0] == high != wide else (1, shape[0])
        node = net.reshaped(layer, "expanded", node, size)
    beta = layer.number(1, 1)
    node = net.chained(layer, Value(node), *[("mul_scalar", beta)] * (beta != 1)).node
    product = net.plain(value, layer.name, layer.line)
    return Value(net.part(layer, "plus", "add", [product, node]))


def matmul(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the product of matrices along the last two axes, or with vectors."""
    left, right, turn = net.shape(layer, 0), net.shape(layer, 1), layer.integer(0, 0) != 0
    if len(right) == 2 and net.constant(layer, 1) and len(left) < 5:
        out, inner = right if turn else right[::-1]
        if inner != left[-1]:
            raise net.error(layer, f"needs rows of {inner} values, got {left[-1]}")
        return [rows(net, layer, net.value(layer), out, False)]
    nodes = [net.node(layer, 0), net.node(layer, 1)]
    if len(right) > 1 and turn:
        order = (*range(len(right) - 2), len(right) - 1, len(right) - 2)
        nodes[1] = net.turned(layer, net.value(layer, 1), order)
    if len(left) == 1:
        nodes[0] = net.reshaped(layer, "row", nodes[0], (1, *left))
    if len(right) == 1:
        nodes[1] = net.reshaped(layer, "column", nodes[1], (*right, 1))
    product = net.add(layer, "matmul", _batched(net, layer, nodes))
    shape = net.made.shape(product)
    size = shape[: len(shape) - 2] + (() if len(left) == 1 else (shape[-2],))
    size = (size + (() if len(right) == 1 else (shape[-1],))) or (1,)
    return [Value(net.reshaped(layer, "result", product, size))]


def _batched(net: Conversion, layer: ParamLayer, nodes: list[str]) -> list[str]:
    """Give two factors the same axes before the last two."""
    shapes = [net.made.shape(node) for node in nodes]
    rank = max(map(len, shapes))
    wide = [(1,) * (rank - len(shape)) + shape for shape in shapes]
    lead: Shape = tuple(max(pair) for pair in zip(*(shape[:-2] for shape in wide), strict=True))
    made = []
    for place, (node, shape) in enumerate(zip(nodes, wide, strict=True)):
        node = net.reshaped(layer, f"batch{place}", node, shape)
        size = (*lead, *shape[-2:])
        if size != shape:
            node = net.part(layer, f"expand{place}", "expand", [node], size=size)
        made.append(node)
    return made


def einsum(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a sum of products, whose equation the file states as character codes."""
    codes = layer.integers(0)
    equation = "".join(chr(code) for code in codes if 0 < code < 128).replace(" ", "")
    left, arrow, result = equation.partition("->")
    inputs = left.split(",")
    plain = all(part.isalpha() and len({*part}) == len(part) for part in [*inputs, result])
    if not arrow or not plain or len(inputs) < 2:
        sizes = {letter: n for place, part in enumerate(inputs[: len(layer.bottoms)])
                 for letter, n in zip(part, net.shape(layer, place), strict=False)}  # fmt: skip
        size = tuple(sizes.get(letter, 1) for letter in result) or (1,)
        products = prod(sizes.values()) * max(len(inputs) - 1, 0)
        return [Value(net.opaque(layer, None, size=size, products=products, work=0))]
    return [Value(net.add(layer, "einsum", net.nodes(layer), equation=equation))]


def embed(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add the learned vector of each index."""
    out, size = layer.integer(0, 0), layer.integer(1, 0)
    node = net.add(layer, "embedding", size=size, out=out)
    if layer.integer(18, 0):
        quantized(net, node)
    if layer.integer(2, 0):
        node = net.part(layer, "plus", "learned", [node], size=(out, 1))
    return [Value(node, (1, 0))]
