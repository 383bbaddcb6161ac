"""Facts and traits that many operators share: `macs = free`, or a base class for a family.

Operators state every fact, including zeros, so that no number is a default.
"""

from __future__ import annotations

from math import prod
from typing import Annotated, ClassVar

from msgspec import structs

from archscope.ir import POINTWISE, WHOLE, Call, Op, Saved, Shape, Storage, Windows, call
from archscope.onnx_form import Value, Weight, X, weight
from archscope.ops.attributes import Positive


def same_shape(op: Op, *ins: Shape) -> Shape:
    """Return the shape of the first input."""
    return ins[0]


def pointwise(op: Op, *ins: Shape) -> Windows:
    """Return the windows of an operator that reads only the same position of its inputs."""
    return POINTWISE


def whole(op: Op, *ins: Shape) -> Windows:
    """Return the windows of an operator whose outputs all read the whole input."""
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


def unchanged(op: Op, *ins: Shape) -> Value:
    """Return the ONNX form of an operator that does nothing at inference: its input."""
    return X


def module_of_attributes(op: Op, *ins: Shape) -> Call:
    """Describe the operator's module, which takes its attributes in order."""
    return call(op.modules[0], *structs.astuple(op))


class Weightless(Op, frozen=True, kw_only=True):
    """The base class of operators without weights and products; not an operator itself."""

    params = buffers = macs = free
    access = moved
    torch = module_of_attributes


class Rearrangement(Weightless, frozen=True):
    """The base class of operators that only move numbers; not an operator itself."""

    keeps_zero = may_see_less = selects = True
    elementwise = free
    saved = saves_nothing


class View(Rearrangement, frozen=True):
    """The base class of operators whose result shares the input's memory; not one itself."""

    storage = Storage.VIEW
    access = free

    def is_identity(self, *ins: Shape) -> bool:
        return self.shape(*ins) == ins[0]


class Weighted(Op, frozen=True, kw_only=True):
    """The base class of convolutions and linear layers; not an operator itself."""

    principal = "out"
    buffers = free
    access = moved

    learns: ClassVar[bool] = True  # its weights, beside the bias

    out: Annotated[Positive, "output channels"]

    @property
    def bias(self) -> bool:
        """Whether a learned bias is added to each output; the last attribute."""
        raise NotImplementedError

    @property
    def keeps_zero(self) -> bool:
        return not self.bias

    def biases(self, *ins: Shape) -> int:
        return self.out if self.bias else 0

    def onnx_weights(self, *shape: int) -> tuple[Weight, Weight | None]:
        """Describe the weights, with this shape, and the bias of ONNX's operators."""
        bias = weight("bias", self.out, spread=prod(shape[1:]) ** -0.5) if self.bias else None
        return weight("weight", *shape, learned=self.learns), bias

    def elementwise(self, *ins: Shape) -> int:
        """Count the additions of the bias."""
        return prod(self.shape(*ins)) if self.bias else 0


TORCH_DEFAULTS = {
    "stride": 1, "padding": 0, "dilation": 1, "groups": 1, "bias": True, "ceil_mode": False,
    "count_include_pad": True, "eps": 1e-5, "momentum": 0.1, "affine": True,
    "elementwise_affine": True,
}  # fmt: skip
"""Default values of keyword arguments of torch's modules."""


def stated(**words: object) -> dict[str, object]:
    """Return the keyword arguments that differ from torch's defaults."""
    return {word: value for word, value in words.items() if value != TORCH_DEFAULTS[word]}
