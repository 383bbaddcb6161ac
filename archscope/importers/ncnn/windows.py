"""Layers of ncnn with windows: convolutions of one to three axes, and pooling."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.ncnn.conversion import REST, Conversion, Value
from archscope.importers.ncnn.param_file import ParamLayer
from archscope.importers.ncnn.pointwise import activated
from archscope.ir import Shape
from archscope.ops.geometry import short_padding

SAME_UPPER, SAME_LOWER = -233, -234

Pairs = tuple[tuple[int, int], ...]
"""The padding before and after each axis."""


def rank_of(layer: ParamLayer) -> int:
    """Return the number of axes of a layer's windows, which its name states."""
    return {"1D": 1, "3D": 3}.get(layer.kind[-2:], 2)


def _sides(layer: ParamLayer, numbers: tuple[int, ...], default: int) -> tuple[int, ...]:
    """Return parameters of width, height and depth, which are the width by default, reversed."""
    first = layer.integer(numbers[0], default)
    return tuple(layer.integer(number, first) for number in reversed(numbers))


def _short(sides: tuple[int, ...]) -> Any:
    return sides[0] if len({*sides}) == 1 else sides


def window_of(layer: ParamLayer, rank: int) -> dict[str, Any]:
    """Return kernel, dilation and stride of a convolution."""
    numbers = {"kernel": (1, 11, 21), "dilation": (2, 12, 22), "stride": (3, 13, 23)}
    return {
        word: _short(_sides(layer, own[:rank], int(word != "kernel")))
        for word, own in numbers.items()
    }


def _pairs(
    layer: ParamLayer, rank: int, befores: tuple[int, ...], afters: tuple[int, ...]
) -> Pairs:  # fmt: skip
    before = _sides(layer, befores[:rank], 0)
    ends = [layer.integer(number, side)
            for number, side in zip(reversed(afters[:rank]), before, strict=True)]  # fmt: skip
    return tuple(zip(before, ends, strict=True))


def pads_of(net: Conversion, layer: ParamLayer, rank: int) -> Any:
    """Return the padding of a convolution."""
    left = layer.integer(4, 0)
    if left == SAME_UPPER:
        return "same"
    if left == SAME_LOWER:
        window = window_of(layer, rank)
        return short_padding(_lower(net.shape(layer)[1:], **window))
    return short_padding(_pairs(layer, rank, (4, 14, 24), (15, 16, 17)))


def _lower(sizes: Shape, kernel: Any, stride: Any, dilation: Any = 1) -> Pairs:
    """Return the padding that keeps ceil(size / stride) positions, more of it before."""
    sides = [(n,) * len(sizes) if isinstance(n, int) else n for n in (kernel, stride, dilation)]
    totals = [
        max((k - 1) * d + 1 + (n - 1) // max(s, 1) * s - n, 0)
        for n, k, s, d in zip(sizes, *sides, strict=True)
    ]
    return tuple((total - total // 2, total // 2) for total in totals)


def weighted(
    net: Conversion, layer: ParamLayer, word: str, node: str, stated: int, **given: Any
) -> str:  # fmt: skip
    """Add a layer with weights, whose number the file states. Raises SpecError."""
    made = net.add(layer, word, [node], out=layer.integer(0, 0), **given)
    facts = net.made.builder.nodes[made].facts
    found = facts.params - facts.biases
    if stated and found != stated:
        raise net.error(layer, f"has {found} weights by its sizes, the file states {stated}")
    if layer.integer(8, 0):
        quantized(net, made)
    return made


def quantized(net: Conversion, node: str, bits: int = 8) -> None:
    """Record that a layer holds its weights in so many bits and its bias in 32."""
    facts = net.made.builder.nodes[node].facts
    weights = -(-(facts.params - facts.biases) * bits // 8)
    net.made.builder.count(node, None, weights + 4 * facts.biases, weight_bits=bits)


def convolution(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a convolution, which on a vector is a fully connected layer."""
    rank, shape = rank_of(layer), net.shape(layer)
    if layer.integer(19, 0):
        return [_computed(net, layer, rank)]
    node, bias = net.node(layer), layer.integer(5, 0) != 0
    window = window_of(layer, rank)
    if len(shape) == 1 and window["kernel"] == 1:
        node = weighted(net, layer, "linear", node, layer.integer(6, 0), bias=bias)
        return [activated(net, layer, Value(node))]
    _check_rank(net, layer, rank, shape)
    pads, number = pads_of(net, layer, rank), layer.number(18, 0)
    if number and pads != "same":
        pairs = _pairs(layer, rank, (4, 14, 24), (15, 16, 17))
        node = net.part(layer, "pad", "pad", [node], padding=pairs, value=number)
        pads = 0
    given = {**window, "padding": pads, "bias": bias, "groups": layer.integer(7, 1)}
    node = weighted(net, layer, "conv", node, layer.integer(6, 0), **given)
    return [activated(net, layer, Value(node))]


def _check_rank(net: Conversion, layer: ParamLayer, rank: int, shape: Shape) -> None:
    if len(shape) != rank + 1:
        raise net.error(layer, f"({layer.kind}) needs {rank + 1} axes, got {len(shape)}")


def _computed(net: Conversion, layer: ParamLayer, rank: int) -> Value:
    """Add a convolution whose weights are another blob, of the file or computed."""
    shape, weights = net.shape(layer), net.shape(layer, 1)
    _check_rank(net, layer, rank, shape)
    if len(weights) != rank + 2:
        raise net.error(layer, f"needs weights of {rank + 2} axes, got {len(weights)}")
    window = window_of(layer, rank) | {"kernel": _short(weights[2:])}
    given = {**window, "padding": pads_of(net, layer, rank), "groups": layer.integer(7, 1)}
    held = all(net.constant(layer, place) for place in range(1, len(layer.bottoms)))
    given |= {"out": weights[0], "bias": len(layer.bottoms) > 2}
    node = net.add(layer, "conv", [net.node(layer)], **given)
    if not held:
        made = net.made.builder.nodes.pop(node)
        net.made.names.pop(node, None)
        node = net.opaque(
            layer, None, size=made.out, products=made.facts.macs, work=made.facts.elementwise
        )
    return activated(net, layer, Value(node))


def deconvolution(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a transposed convolution, cropped by its padding or to a size."""
    rank, shape = rank_of(layer), net.shape(layer)
    _check_rank(net, layer, rank, shape)
    if layer.integer(28, 0):
        raise net.error(layer, "computes its weights, which is not supported")
    pairs = _pairs(layer, rank, (4, 14, 24), (15, 16, 17))
    cut = max(map(max, pairs)) > 0
    sizes = tuple(_sides(layer, (20, 21, 22)[:rank] if rank < 3 else (25, 26, 27), 0))
    if not cut:
        pairs = ((0, 0),) * rank
    even = all(before == after for before, after in pairs)
    given = {
        **window_of(layer, rank),
        "padding": _short(tuple(pair[0] for pair in pairs)) if even else 0,
        "bias": layer.integer(5, 0) != 0,
        "groups": layer.integer(7, 1),
        "output_padding": _short(_sides(layer, (18, 19, 20)[:rank], 0)),
    }
    stated = layer.integer(6, 0)
    node = weighted(net, layer, "conv_transpose", net.node(layer), stated, **given)
    found = net.made.shape(node)[1:]
    if not cut and all(sizes):
        extra = [a - b for a, b in zip(found, sizes, strict=True)]
        lower = SAME_LOWER in [layer.integer(number, 0) for number in (4, 14, 15, 16)]
        pairs = tuple((n - n // 2, n // 2) if lower else (n // 2, n - n // 2) for n in extra)
    if not even or not cut:
        for axis, ((before, after), size) in enumerate(zip(pairs, found, strict=True), start=1):
            if before or after:
                node = net.part(layer, "cut", "slice", [node], start=before, stop=size - after,
                                axis=axis)  # fmt: skip
    return [activated(net, layer, Value(node))]


FULL, VALID, UPPER, LOWER = range(4)  # how pooling comes to its size
MAXIMUM = 0  # of the kinds of pooling, else the mean
SMALLEST = -3.4028234e38
"""The padding of a maximum, the smallest number of single precision."""


def pooling(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add pooling: over all of a map, to a size, or over windows rounded up, down or `same`."""
    peak, rank = layer.integer(0, 0) == MAXIMUM, rank_of(layer)
    word, shape = "maxpool" if peak else "avgpool", net.shape(layer)
    if layer.integer(4, 0):
        node = net.part(layer, "pool", f"global_{word}", [net.node(layer)])
        return [Value(net.add(layer, "flatten", [node]))]
    _check_rank(net, layer, rank, shape)
    if layer.integer(7, 0):
        wanted = _sides(layer, (8, 18, 28)[:rank], 0)
        pairs = zip(shape[1:], wanted, strict=True)
        sizes = tuple(n if side == REST else side for n, side in pairs)
        return [Value(net.add(layer, f"adaptive_{word}", size=sizes))]
    mode = layer.integer(5, 0)
    kernels, strides = _sides(layer, (1, 11, 21)[:rank], 0), _sides(layer, (2, 12, 22)[:rank], 1)
    if min(*kernels, *strides) < 1 or not FULL <= mode <= LOWER:
        raise net.error(layer, "needs a kernel and a stride of at least 1, and a known mode")
    given: dict[str, Any] = {"kernel": _short(kernels), "stride": _short(strides)}
    pads = _pairs(layer, rank, (3, 13, 23), (14, 15, 16))
    if mode == UPPER:
        given |= {"padding": "same"} if peak else {"padding": "same", "count_padding": True}
        return [Value(net.add(layer, word, **given))]
    if mode == LOWER:
        pads = _lower(shape[1:], kernels, strides)
    return [Value(_pooled(net, layer, word, pads, kernels, strides))]


def _pooled(
    net: Conversion, layer: ParamLayer, word: str, pads: Pairs,
    kernels: tuple[int, ...], strides: tuple[int, ...],
) -> str:  # fmt: skip
    """Add pooling over windows, the last of which may begin in the padding, unlike torch's."""
    shape, mode = net.shape(layer), layer.integer(5, 0)
    given: dict[str, Any] = {"kernel": _short(kernels), "stride": _short(strides)}
    rooms = [n + sum(p) - k for n, p, k in zip(shape[1:], pads, kernels, strict=True)]
    floors = [room // s + 1 for room, s in zip(rooms, strides, strict=True)]
    sizes = floors
    if mode == FULL:
        sizes = [-(-room // s) + 1 for room, s in zip(rooms, strides, strict=True)]
    around = tuple(
        (before, after + (out - least) * s)
        for (before, after), out, least, s in zip(pads, sizes, floors, strides, strict=True)
    )
    mean = word == "avgpool"
    counted = mean and (layer.integer(6, 0) != 0 or mode == LOWER)
    if counted:  # with the rest of the last window, which torch does not count
        pads, floors = around, sizes
    beyond = sizes != floors and any(
        (out - 1) * s >= n + p[0]
        for out, s, n, p in zip(sizes, strides, shape[1:], pads, strict=True)
    )
    if beyond or any(2 * max(p) > k for p, k in zip(pads, kernels, strict=True)):
        if mean and not counted:
            size = (shape[0], *(max(side, 0) for side in sizes))
            return net.opaque(layer, prod(kernels), size=size)
        value = 0.0 if mean else SMALLEST
        node = net.part(layer, "pad", "pad", [net.node(layer)], padding=around, value=value)
        return net.add(layer, word, [node], **given)
    if mean:
        given["count_padding"] = counted or not any(map(any, pads))
    return net.add(layer, word, padding=short_padding(pads), ceil=sizes != floors, **given)
