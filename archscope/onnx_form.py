"""Describe the ONNX form of an operator, as an expression of ONNX operators.

Operators of `ops/` state one as `Op.onnx`, for opset 18 and later; `exporters/onnx_writer.py`
writes it. Nothing here needs the package `onnx`.

    node("Clip", X, scalar(0.0), scalar(6.0))
    node("Gemm", X, weight("weight", out, channels), weight("bias", out), transB=1)

The batch is the first axis of every input and of the result, and may have any size: a `Reshape`
uses 0 for it. Parts that depend only on weights and constants are computed when the file is
written, so that `node("Reshape", weight("weight", 8), ints(8, 1, 1))` becomes a weight of that
shape. Equal parts of an expression are written once.
"""

from __future__ import annotations

from typing import Any

from msgspec import Struct

LEARNED = "archscope_learned"
"""The entry of a model's metadata with the number of learned values of each initializer, as JSON.

A file does not tell weights from constants otherwise.
"""

Numbers = float | int | bool | tuple["Numbers", ...]


class Input(Struct, frozen=True, gc=False):
    """An input of the operator, by its index."""

    place: int = 0


class Weight(Struct, frozen=True, gc=False):
    """A weight or running statistic, by its name in the state dict of the operator's module.

    Untrained values are uniform within `spread` of `centre`; without a spread, within
    sqrt(3 / fan in) (LeCun et al. 1998), where the first axis is that of the outputs.
    """

    name: str
    shape: tuple[int, ...]
    centre: float = 0.0
    spread: float | None = None
    learned: bool = True


class Constant(Struct, frozen=True, gc=False):
    """Numbers other than weights: a scalar, or nested tuples of equal length on each axis."""

    values: Numbers
    dtype: str = "float32"  # the name of a numpy type


class OnnxNode(Struct, frozen=True, gc=False):
    """An operator of ONNX: its type, inputs (None where one is left out) and attributes."""

    kind: str
    inputs: tuple[Value | None, ...]
    attributes: tuple[tuple[str, Any], ...] = ()
    output: int = 0  # the index of its result

    def result(self, place: int) -> OnnxNode:
        """Return another result of the same operator: the indices of `TopK` are `result(1)`."""
        return OnnxNode(self.kind, self.inputs, self.attributes, place)


Value = Input | Weight | Constant | OnnxNode
"""What an ONNX operator reads, and the form of an operator of ours."""

X = Input()
"""The first input of an operator."""


def node(kind: str, *inputs: Value | None, **attributes: Any) -> OnnxNode:
    """Describe an ONNX operator; attributes and trailing inputs that are None are left out."""
    while inputs and inputs[-1] is None:
        inputs = inputs[:-1]
    given = tuple((name, value) for name, value in attributes.items() if value is not None)
    return OnnxNode(kind, inputs, given)


def weight(
    name: str,
    *shape: int,
    centre: float = 0.0,
    spread: float | None = None,
    learned: bool = True,
) -> Weight:
    """Describe a weight of a shape, or a buffer if it is not learned.

    `weight("running_var", 8, centre=1.0, spread=0.0, learned=False)`
    """
    return Weight(name, shape, centre, spread, learned)


def scalar(value: float) -> Constant:
    """Describe a number in single precision."""
    return Constant(float(value))


def floats(*values: Any) -> Constant:
    """Describe an array of numbers in single precision; nested tuples for several axes."""
    return Constant(values)


def ints(*values: Any) -> Constant:
    """Describe an array of whole numbers, such as a shape, axes or indices."""
    return Constant(values, "int64")


def per_channel(value: Value, channels: int, rank: int) -> Value:
    """Reshape a value per channel so that it broadcasts over `rank` spatial axes."""
    return node("Reshape", value, ints(channels, *(1,) * rank)) if rank else value
