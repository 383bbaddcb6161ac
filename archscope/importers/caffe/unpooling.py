"""Unpooling of SegNet: values return to the places of the maxima that a pool took them from."""

from __future__ import annotations

from archscope.importers.caffe.conversion import Conversion
from archscope.importers.caffe.definition import CaffeLayer
from archscope.ir import Shape

LOWEST = -3.4e38


def places(net: Conversion, layer: CaffeLayer, block: int, size: Shape) -> str:
    """Add which position of each block is its first maximum, one-hot along a new last axis.

    `size` is the shape after the pool, whose blocks do not overlap.
    """
    node = net.node(layer)
    channels, height, width = net.shape(layer)
    below, beside = size[1] * block - height, size[2] * block - width
    if below or beside:
        edges = ((0, below), (0, beside))
        node = net.part(layer, "edge", "pad", [node], padding=edges, value=LOWEST)
    node = net.part(layer, "blocks", "space_to_depth", [node], block=block)
    node = net.part(layer, "positions", "reshape", [node], size=(channels, block**2, *size[1:]))
    node = net.part(layer, "first", "argmax", [node], axis=1, keep=False)
    node = net.part(layer, "places", "one_hot", [node], classes=block**2)
    net.places[node] = block
    return node


def unpooled(net: Conversion, layer: CaffeLayer, size: tuple[int, ...]) -> str:
    """Add the map of a size in which values stand at places that a pool found, among zeros."""
    node, mask = net.nodes(layer)[:2]
    channels, *sides = net.made.shape(node)
    block = net.places[mask]
    node = net.part(layer, "values", "reshape", [node], size=(channels, *sides, 1))
    node = net.part(layer, "at_places", "mul", [mask, node])
    node = net.part(layer, "turned", "permute", [node], order=(0, 3, 1, 2))
    node = net.part(layer, "blocks", "reshape", [node], size=(channels * block**2, *sides))
    node = net.part(layer, "map", "pixel_shuffle", [node], block=block)
    for axis, (side, wanted) in enumerate(zip(sides, size, strict=True), start=1):
        if side * block != wanted:
            cut = {"start": 0, "stop": wanted, "axis": axis}
            node = net.part(layer, f"cut{axis}", "slice", [node], **cut)
    return node
