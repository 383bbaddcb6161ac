"""Sizes that tools count by, and terms that several tools share."""

from __future__ import annotations

from math import prod

from archscope.analysis.conventions.convention import Layer, Term


def made(layer: Layer) -> int:
    """Return the number of output elements."""
    return prod(layer.node.out)


def taken(layer: Layer) -> int:
    """Return the number of elements of the first input."""
    return prod(layer.node.ins[0])


def bias(layer: Layer) -> int:
    """Return the additions of a bias, if that is the layer's only work besides macs."""
    return layer.node.facts.elementwise


def params(layer: Layer) -> int:
    """Return the params of the module."""
    return layer.node.facts.params


def left_out(layer: Layer) -> bool:
    """Return whether an average pooling excludes the padding."""
    return not getattr(layer.node.op, "count_padding", True)


def affine(layer: Layer) -> bool:
    """Return whether a norm has learned factors and shifts."""
    return layer.node.facts.params > 0


def merged(layer: Layer) -> int:
    """Return the elements of all results of merging the inputs one after another."""
    ins = layer.node.ins
    total, shape = 0, ins[0]
    for x in ins[1:]:
        shape = tuple(map(max, shape, x))
        total += prod(shape)
    return total


def at_outputs(layer: Layer) -> int:
    """Return the cost of a transposed convolution as if its weights applied at every output.

    They apply at every input position, so this is too large by the stride along each axis.
    """
    (x,) = layer.node.ins
    positions, outputs = prod(x[1:]), prod(layer.node.out[1:])
    return layer.macs // positions * outputs


def each(reason: str, times: int = 1) -> Term:
    """Return a term of a fixed amount per output element."""
    return Term(reason, lambda layer: times * made(layer))


def each_taken(reason: str, times: int = 1) -> Term:
    """Return a term of a fixed amount per element of the first input."""
    return Term(reason, lambda layer: times * taken(layer))


def missed(reason: str) -> Term:
    """Return a term for macs that a tool does not count."""
    return Term(reason, lambda layer: -layer.macs)


BIAS = Term("bias: 1 for each output element", bias)
"""A bias, counted as one more multiply-accumulate per output element."""
