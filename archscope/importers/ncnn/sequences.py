"""Recurrent layers of ncnn."""

from __future__ import annotations

from typing import Any

from archscope.importers.ncnn.conversion import Conversion, Value
from archscope.importers.ncnn.param_file import ParamLayer
from archscope.importers.ncnn.windows import quantized

REVERSE, BOTH = 1, 2
BIASES = {"LSTM": (4, 8), "GRU": (4, 6), "RNN": (1, 2)}
"""The biases of a state's channel in ncnn, and in torch, which has one for each product."""


def recurrent(net: Conversion, layer: ParamLayer) -> list[Value]:
    """Add a recurrent layer over rows, from a state of zeros."""
    out, direction = layer.integer(0, 0), layer.integer(2, 0)
    shape = net.shape(layer)
    if len(shape) != 2 or len(layer.bottoms) != 1 or len(layer.tops) != 1:
        raise net.error(layer, f"({layer.kind}) needs rows, and no state of an earlier call")
    hidden = layer.integer(3, out) if layer.kind == "LSTM" else out
    given: dict[str, Any] = {"hidden": hidden, "bidirectional": direction == BOTH}
    if hidden != out:
        given["projection"] = out
    node = net.turned(layer, net.value(layer), (1, 0))
    if direction == REVERSE:
        node = net.part(layer, "reversed", "flip", [node], axes=[1])
    made = net.add(layer, layer.kind.lower(), [node], **given)
    if layer.integer(8, 0):
        quantized(net, made)
    else:
        few, many = BIASES[layer.kind]
        left = (many - few) * hidden * (1 + (direction == BOTH))
        net.made.builder.count(made, net.made.builder.nodes[made].facts.params - left)
    if direction == REVERSE:
        made = net.part(layer, "restored", "flip", [made], axes=[1])
    return [Value(made, (1, 0))]
