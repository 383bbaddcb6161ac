"""Predicates on layers that several rules use: depthwise, grouped, pointwise and others."""

from __future__ import annotations

from math import prod

from archscope.axes import Window
from archscope.ir import Node
from archscope.ops.conv import Conv


def transparent(node: Node) -> bool:
    """Return whether each value keeps its position and changes by a scale and shift at most."""
    return node.op.valuewise and not node.op.nonlinear


def convolution(node: Node) -> Conv | None:
    """Return the node's operator if it is a convolution, else None."""
    return node.op if isinstance(node.op, Conv) else None


def depthwise(node: Node) -> bool:
    """Return whether it convolves each channel on its own."""
    op = convolution(node)
    return op is not None and op.groups == node.ins[0][0] > 1


def grouped(node: Node) -> bool:
    """Return whether it is a grouped convolution with several channels per group."""
    op = convolution(node)
    return op is not None and 1 < op.groups < node.ins[0][0]


def pointwise(node: Node) -> bool:
    """Return whether it is a 1x1 convolution of stride 1 that mixes channels."""
    op = convolution(node)
    if op is None or len(node.out) == 1 or depthwise(node):
        return False
    return taps(node) == 1 and node.ins[0][1:] == node.out[1:]


def taps(node: Node) -> int:
    """Return the number of positions in the window of a convolution: 9 for 3x3."""
    windows = node.facts.window or ()
    return prod(axis.kernel for axis in windows if isinstance(axis, Window))


def area(shape: tuple[int, ...]) -> int:
    """Return the number of positions of a feature map."""
    return prod(shape[1:])


def activation(node: Node) -> bool:
    """Return whether it is a non-linear function of each value."""
    return node.op.valuewise and node.op.nonlinear
