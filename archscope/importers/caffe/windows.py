"""Layers of Caffe that slide windows: convolutions and pooling."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.caffe.conversion import Conversion
from archscope.importers.caffe.definition import CaffeLayer
from archscope.importers.caffe.text_format import Message

Sides = int | tuple[int, ...]


def _sides(net: Conversion, layer: CaffeLayer, param: Message, name: str, default: int) -> Sides:
    """Return a size for each axis, given by `name` for all or each, or by `_h` and `_w`."""
    stem = name.removesuffix("_size")
    if f"{stem}_h" in param or f"{stem}_w" in param:
        found = [param.integer(f"{stem}_{axis}", default) for axis in "hw"]
    else:
        found = param.integers(name) or [default]
    rank = len(net.shape(layer)) - 1
    if len(found) not in (1, rank) or min(found) < 0:
        raise net.made.error(
            f"'{name}' of '{layer.name}' must be one number, or one for each of {rank} axes",
            layer.line,
        )
    return found[0] if len(set(found)) == 1 else tuple(found)


def _window(net: Conversion, layer: CaffeLayer, param: Message) -> dict[str, Any]:
    return {
        "kernel": _sides(net, layer, param, "kernel_size", 0),
        "stride": _sides(net, layer, param, "stride", 1),
        "padding": _sides(net, layer, param, "pad", 0),
    }


def convolution(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add a convolution; depthwise types have a group for each channel."""
    param = layer.param("convolution", "conv")
    channels = net.shape(layer)[0]
    depthwise = "depthwise" in layer.kind
    word = "conv_transpose" if layer.kind.startswith("deconv") else "conv"
    node = net.add(
        layer,
        word,
        out=param.integer("num_output", channels if depthwise else 0),
        groups=channels if depthwise else param.integer("group", 1),
        dilation=_sides(net, layer, param, "dilation", 1),
        bias=(bias := param.flag("bias_term", True)),
        **_window(net, layer, param),
    )
    return [net.share(layer, net.store(layer, node, bias=bias))]


def pooling(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add pooling, whose output size Caffe rounds up unless `round_mode` says otherwise.

    If there is padding, a last window that would start in it is dropped.
    """
    param = layer.param("pooling")
    kind = param.choice("pool", "MAX", "AVE", "STOCHASTIC")
    word = {"MAX": "maxpool", "AVE": "avgpool", "STOCHASTIC": "stochastic_pool"}[kind]
    if param.flag("global_pooling", False) and kind != "STOCHASTIC":
        return [net.add(layer, "global_maxpool" if kind == "MAX" else "global_avgpool")]
    shape = net.shape(layer)
    rank = len(shape) - 1
    window = _window(net, layer, param)
    ups = param.choice("round_mode", "CEIL", "FLOOR") == "CEIL" and param.flag("ceil_mode", True)
    kernels, strides, pads = (
        sides if isinstance(sides, tuple) else (sides,) * rank for sides in window.values()
    )
    if min((*kernels, *strides), default=1) < 1:
        raise net.made.error(
            f"'{layer.name}' needs a kernel and a stride of at least 1", layer.line
        )
    rooms = [n + 2 * p - k for n, p, k in zip(shape[1:], pads, kernels, strict=True)]
    sizes = [
        (-(-room // s) if ups else room // s) + 1 for room, s in zip(rooms, strides, strict=True)
    ]
    if ups and any(pads):
        sizes = [
            out - ((out - 1) * s >= n + p)
            for out, s, n, p in zip(sizes, strides, shape[1:], pads, strict=True)
        ]
    floors = [room // s + 1 for room, s in zip(rooms, strides, strict=True)]
    given = dict(window)
    if word == "stochastic_pool":
        fits = sizes == floors and not any(pads)
        given.pop("padding")
    else:
        given["ceil"] = sizes != floors
        # torch drops a window beyond the input even without padding.
        beyond = any(
            (out - 1) * s >= n + p
            for out, s, n, p in zip(sizes, strides, shape[1:], pads, strict=True)
        )
        fits = not beyond and all(2 * p <= k for p, k in zip(pads, kernels, strict=True))
    if fits:
        first = net.add(layer, word, **given)
    else:
        made = (shape[0], *(max(size, 0) for size in sizes))
        first = net.opaque(layer, prod(kernels), size=made)
    if len(layer.tops) < 2 or not any(layer.tops[1] in each.bottoms for each in net.found.layers):
        return [first]
    if word == "maxpool" and fits:
        places = net.part(layer, "indices", "maxpool_indices", [net.node(layer)], **given)
        net.places[places] = window, shape[1:]
        return [first, places]
    return [first, net.opaque(layer, size=net.made.shape(first))]  # the indices of the maxima
