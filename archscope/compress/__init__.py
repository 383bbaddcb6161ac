"""Compression of networks: fewer channels, weights in fewer bits, and the bytes of both."""

from archscope.compress.groups import ChannelGroups, Group, Unit, channel_groups
from archscope.compress.int8 import Int8, quantize_int8
from archscope.compress.pruning import Pruned, prune
from archscope.compress.quantization import Quantized, quantize_weights
from archscope.compress.storage import Sizes, sizes

__all__ = [
    "ChannelGroups", "Group", "Int8", "Pruned", "Quantized", "Sizes", "Unit", "channel_groups",
    "prune", "quantize_int8", "quantize_weights", "sizes",
]  # fmt: skip
