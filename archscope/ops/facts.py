"""Facts that many operators share: `macs = free`, `window = pointwise`.

Operators state every fact, also a zero, so that no number is there by default.
"""

from __future__ import annotations

from math import prod

from archscope.ir import POINTWISE, WHOLE, Op, Saved, Shape, Windows


def same_shape(op: Op, *ins: Shape) -> Shape:
    """Return the shape of the first input."""
    return ins[0]


def pointwise(op: Op, *ins: Shape) -> Windows:
    """Return that each position reads that position of its inputs."""
    return POINTWISE


def whole(op: Op, *ins: Shape) -> Windows:
    """Return that every output reads the whole input."""
    return WHOLE


def free(op: Op, *ins: Shape) -> int:
    """Count nothing."""
    return 0


def moved(op: Op, *ins: Shape) -> int:
    """Count inputs, weights and output, each touched once."""
    return sum(map(prod, ins)) + op.params(*ins) + op.buffers(*ins) + prod(op.shape(*ins))


def saves_nothing(op: Op, *ins: Shape) -> Saved:
    """Return that autograd keeps nothing."""
    return Saved()


def saves_input(op: Op, *ins: Shape) -> Saved:
    """Return that autograd keeps the input."""
    return Saved(input=True)
