"""Layers of ncnn with weights, and pooling."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.ncnn.conversion import REST, Conversion
from archscope.importers.ncnn.param_file import ParamLayer

SAME_UPPER, SAME_LOWER = -233, -234
ROUND_UP, ROUND_DOWN = 0, 1  # how pooling comes to its size
MAXIMUM = 0  # of the kinds of pooling, else the mean
RELU, LEAKY, CLIP, SIGMOID, MISH, HARDSWISH = 1, 2, 3, 4, 5, 6
"""The activations that are fused into a layer."""


def _pair(layer: ParamLayer, width: int, height: int, default: int) -> Any:
    """Return parameters of width and height as (height, width), or a single number if equal."""
    across = layer.integer(width, default)
    down = layer.integer(height, across)
    return across if across == down else (down, across)


def _padding(net: Conversion, layer: ParamLayer) -> Any:
    left = layer.integer(4, 0)
    if left == SAME_UPPER:
        return "same"
    if left == SAME_LOWER:
        raise net.made.error(
            f"'{layer.name[:60]}' pads by SAME_LOWER, which is not supported", layer.line
        )
    right, top = layer.integer(15, left), layer.integer(14, left)
    bottom = layer.integer(16, top)
    if left == right == top == bottom:
        return left
    return (top, left) if (top, left) == (bottom, right) else ((top, bottom), (left, right))


def _window(layer: ParamLayer) -> dict[str, Any]:
    return {
        "kernel": _pair(layer, 1, 11, 0),
        "dilation": _pair(layer, 2, 12, 1),
        "stride": _pair(layer, 3, 13, 1),
    }


def _weighted(net: Conversion, layer: ParamLayer, word: str, given: dict[str, Any]) -> list[str]:
    """Add a layer with weights and its fused activation."""
    flat = given.pop("inputs", None)
    node = net.add(layer, word, flat, out=layer.integer(0, 0), **given)
    inner = 2 if word == "linear" else 6
    net.check_weights(layer, node, layer.integer(inner, 0))
    if layer.integer(8, 0):
        net.quantised(node)
    return [activated(net, layer, node)]


def activated(net: Conversion, layer: ParamLayer, node: str) -> str:
    """Add the fused activation of a layer and return its node. Raises SpecError."""
    kind = layer.integer(9, 0)
    numbers = [*map(float, layer.params.get(10, [])), 0.0, 0.0]
    words = {RELU: "relu", SIGMOID: "sigmoid"}
    if kind == 0:
        return node
    if kind in words:
        return net.part(layer, words[kind], words[kind], [node])
    if kind == LEAKY:
        return net.part(layer, "leaky_relu", "leaky_relu", [node], slope=numbers[0])
    if kind == CLIP and numbers[:2] == [0, 6]:
        return net.part(layer, "relu6", "relu6", [node])
    if kind == MISH:
        return mish_of(net, layer, node)
    if kind == HARDSWISH and is_hard(*numbers[:2]):
        return net.part(layer, "hardswish", "hardswish", [node])
    if kind in (CLIP, HARDSWISH):
        size = net.made.shape(node)
        work = (2 if kind == CLIP else 5) * prod(size)
        return net.made.opaque(
            f"{layer.name}_activation",
            layer.line,
            "ncnn.activation",
            [node],
            products=0,
            work=work,
            pointwise=True,
        )
    raise net.made.error(f"'{layer.name[:60]}' has the unknown activation {kind}", layer.line)


def is_hard(slope: float, shift: float) -> bool:
    """Return whether a hard sigmoid is relu6(x + 3) / 6."""
    return abs(slope - 1 / 6) < 1e-5 and shift == 0.5


def mish_of(net: Conversion, layer: ParamLayer, node: str) -> str:
    """Add x times tanh(log(1 + exp(x)))."""
    gate = net.part(layer, "softplus", "softplus", [node])
    gate = net.part(layer, "tanh", "tanh", [gate])
    return net.part(layer, "mul", "mul", [node, gate])


def convolution(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a convolution; padding values other than 0 are refused."""
    if layer.number(18, 0) != 0 or layer.integer(19, 0):
        raise net.made.error(
            f"'{layer.name[:60]}' pads with a value or computes its weights,"
            " which is not supported",
            layer.line,
        )
    given = _window(layer) | {"padding": _padding(net, layer), "bias": layer.integer(5, 0) != 0}
    return _weighted(net, layer, "conv", given | {"groups": layer.integer(7, 1)})


def deconvolution(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a transposed convolution with equal padding on both sides."""
    given = _window(layer) | {
        "padding": _padding(net, layer),
        "bias": layer.integer(5, 0) != 0,
        "groups": layer.integer(7, 1),
        "output_padding": _pair(layer, 18, 19, 0),
    }
    if layer.integer(20, 0):
        raise net.made.error(
            f"'{layer.name[:60]}' states the size of its output, which is not supported", layer.line
        )
    return _weighted(net, layer, "conv_transpose", given)


def inner_product(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add a fully connected layer over all values, or over each row if these fit."""
    shape, out = net.shape(layer), layer.integer(0, 0)
    bias = layer.integer(1, 0) != 0
    size = layer.integer(2, 0)
    if len(shape) == 2 and out and size == shape[1] * out:
        return [
            net.opaque(
                layer,
                int(bias),
                size=(shape[0], out),
                learned=size + out * bias,
                products=prod(shape) * out,
            )
        ]
    node = net.node(layer)
    if len(shape) > 1:
        node = net.part(layer, "flatten", "flatten", [node])
    return _weighted(net, layer, "linear", {"bias": bias, "inputs": [node]})


def pooling(net: Conversion, layer: ParamLayer) -> list[str]:
    """Add pooling: over all of a map, to a size, or over windows rounded up, down or `same`."""
    peak = layer.integer(0, 0) == MAXIMUM
    word = "maxpool" if peak else "avgpool"
    if layer.integer(4, 0):
        node = net.part(layer, "pool", f"global_{word}", [net.node(layer)])
        return [net.add(layer, "flatten", [node])]
    shape = net.shape(layer)
    if layer.integer(7, 0):
        wide, high = layer.integer(8, 0), layer.integer(18, layer.integer(8, 0))
        sizes = tuple(
            n if side == REST else side for n, side in zip(shape[1:], (high, wide), strict=False)
        )
        return [net.add(layer, f"adaptive_{word}", size=sizes)]
    mode = layer.integer(5, 0)
    given = {"kernel": _pair(layer, 1, 11, 0), "stride": _pair(layer, 2, 12, 1)}
    left = layer.integer(3, 0)
    right, top = layer.integer(14, left), layer.integer(13, left)
    bottom = layer.integer(15, top)
    pads = ((top, bottom), (left, right))
    if mode not in (ROUND_UP, ROUND_DOWN) or len(shape) != 3:
        return [_other_pooling(net, layer, word, given, mode)]
    kernels, strides = (
        sides if isinstance(sides, tuple) else (sides, sides) for sides in given.values()
    )
    if min(*kernels, *strides) < 1:
        raise net.made.error(
            f"'{layer.name[:60]}' needs a kernel and a stride of at least 1", layer.line
        )
    rooms = [n + sum(p) - k for n, p, k in zip(shape[1:], pads, kernels, strict=True)]
    floors = [room // s + 1 for room, s in zip(rooms, strides, strict=True)]
    sizes_up = [-(-room // s) + 1 for room, s in zip(rooms, strides, strict=True)]
    sizes = tuple(sizes_up if mode == ROUND_UP else floors)
    # torch drops a window that would start beyond the input, ncnn does not.
    beyond = mode == ROUND_UP and any(
        (out - 1) * s >= n + p[0]
        for out, s, n, p in zip(sizes, strides, shape[1:], pads, strict=True)
    )
    if beyond or any(2 * max(p) > k for p, k in zip(pads, kernels, strict=True)):
        size = (shape[0], *(max(side, 0) for side in sizes))
        return [net.opaque(layer, prod(kernels), size=size)]
    even = all(before == after for before, after in pads)
    given["padding"] = (top if top == left else (top, left)) if even else pads
    given["ceil"] = list(sizes) != floors
    if not peak:
        given["count_padding"] = bool(layer.integer(6, 0)) or not any(map(any, pads))
    return [net.add(layer, word, **given)]


def _other_pooling(
    net: Conversion, layer: ParamLayer, word: str, given: dict[str, Any], mode: int
) -> str:
    if mode in (2, 3) and word == "maxpool":
        return net.add(layer, word, padding="same", **given)
    raise net.made.error(f"'{layer.name[:60]}' pools in a way that is not supported", layer.line)
