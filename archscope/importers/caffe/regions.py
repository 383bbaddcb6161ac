"""Regions of a feature map, which detectors classify one by one."""

from __future__ import annotations

from archscope.importers.caffe.conversion import Conversion
from archscope.importers.caffe.definition import CaffeLayer
from archscope.ir import Shape


def region(net: Conversion, layer: CaffeLayer) -> list[str]:
    """Add an input for what a pool cuts out of a map for one region.

    How many regions there are, and where, is known only when the network runs. So the map becomes
    an output, and the layers after the pool are counted for one region.
    """
    node = net.node(layer)
    net.shown.append(node)
    name = net.made.input(
        layer.tops[0] if layer.tops else layer.name, _size(net, layer), layer.line
    )
    net.regions[name] = f"{layer.name[:60]} ({layer.type[:60]})"
    return [name]


def _size(net: Conversion, layer: CaffeLayer) -> Shape:
    """Return the shape of one region after a pool."""
    for param in layer.params:
        if "pooled_h" in param and "pooled_w" in param:
            sides = param.integer("pooled_h", 0), param.integer("pooled_w", 0)
            channels = net.shape(layer)[0]
            return param.integer("output_dim", channels), *sides
        if "output_dim" in param:  # of position-sensitive pools
            side = param.integer("pooled_size", param.integer("group_size", 0))
            return param.integer("output_dim", 0), side, side
    raise net.made.error(f"'{layer.name}' does not state the size of a region", layer.line)
