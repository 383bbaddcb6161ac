"""Layers of Keras that reshape, permute, cut and resize; the file has the channels last."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.errors import quoted
from archscope.importers.keras.config import KerasLayer
from archscope.importers.keras.conversion import Conversion
from archscope.ir import Shape


def flatten(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a flattening, in the order of Keras."""
    return reshaped(net, title, node, (prod(net.shape(node)),))


def reshape(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a reshape in the order of Keras, by permutations where positions move."""
    shape = net.shape(node)
    target = [int(size) for size in layer.get("target_shape", [])]
    rest = prod(size for size in target if size != -1)
    if target.count(-1) > 1 or rest < 1 or prod(shape) % rest or not 1 <= len(target) <= 4:
        raise net.error(layer, f"cannot reshape {prod(shape)} values to {quoted(target)}")
    target = [prod(shape) // rest if size == -1 else size for size in target]
    if prod(target) != prod(shape):
        raise net.error(layer, f"cannot reshape {prod(shape)} values to {quoted(target)}")
    return reshaped(net, title, node, tuple(target))


def reshaped(net: Conversion, title: str, node: str, target: Shape) -> str:
    """Reshape a node to a shape of Keras, with as few operators as possible."""
    shape, size = net.shape(node), (target[-1], *target[:-1])
    if size == shape:
        return node
    same_order = shape[0] == 1 or prod(shape[1:]) == 1
    if len(size) == 1:
        return net.add(title, "flatten", node if same_order else net.last(title, node))
    kept = shape[0] == size[0]  # the positions are in order
    ordered = same_order and (size[0] == 1 or prod(size[1:]) == 1)
    if kept or ordered:
        return net.add(title, "reshape", node, size=size)
    node = net.last(title, node)
    if net.shape(node) != target:
        node = net.add(title, "reshape", node, size=target)
    return net.first(title, node)


def permute(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a permutation of the axes."""
    axes = [int(axis) for axis in layer.get("dims", [])]
    rank = len(net.shape(node))
    if sorted(axes) != [*range(1, rank + 1)]:
        raise net.error(layer, f"needs each of {rank} axes once, got {quoted(axes)}")
    ours = [axis % rank for axis in axes]
    return net.add(title, "permute", node, order=(ours[-1], *ours[:-1]))


def repeated(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add the repetition of a vector as positions."""
    (channels,) = net.shape(node)
    node = net.add(f"{title}_position", "reshape", node, size=(channels, 1))
    return net.add(title, "expand", node, size=(channels, layer.get("n")))


def _cut(net: Conversion, title: str, node: str, pairs: list[tuple[int, int]]) -> str:
    for axis, (before, after) in enumerate(pairs, start=1):
        if before or after:
            stop = net.shape(node)[axis] - after
            node = net.add(title, "slice", node, start=before, stop=stop, axis=axis)
    return node


def cropping(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a crop of the positions."""
    rank = len(net.shape(node)) - 1
    given: Any = layer.get("cropping", 1)
    given = list(given) if isinstance(given, list | tuple) else [given] * rank
    if rank == 1 and len(given) == 2:
        given = [given]
    pairs = [tuple(cut) if isinstance(cut, list | tuple) else (cut, cut) for cut in given]
    if len(pairs) != rank or any(len(pair) != 2 or min(pair) < 0 for pair in pairs):
        raise net.error(layer, f"cannot crop a map by {quoted(given)}")
    return _cut(net, title, node, pairs)


def center_crop(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add a crop of the middle; smaller images, which Keras enlarges, are refused."""
    extra = [n - int(layer.get(side, 0))
             for n, side in zip(net.shape(node)[1:], ("height", "width"), strict=True)]  # fmt: skip
    if min(extra) < 0:
        raise net.error(layer, "is larger than its input, which is not supported")
    return _cut(net, title, node, [(more // 2, more - more // 2) for more in extra])


MODES = {"bilinear": "linear", "nearest": "nearest_exact", "bicubic": "cubic"}


def resizing(net: Conversion, layer: KerasLayer, title: str, node: str) -> str:
    """Add resizing to a size."""
    size = (layer.get("height"), layer.get("width"))
    mode = str(layer.get("interpolation", "bilinear"))
    fitted = layer.get("crop_to_aspect_ratio", False) or layer.get("pad_to_aspect_ratio", False)
    if mode not in MODES or fitted:
        raise net.error(layer, f"resizes by {quoted(mode)} or crops, which is not supported")
    return net.add(title, "upsample", node, size=size, mode=MODES[mode],
                   antialias=bool(layer.get("antialias", False)))  # fmt: skip
