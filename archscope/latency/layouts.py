"""The layout of feature maps in onnxruntime on a CPU: blocks of channels, or channel by channel.

Its convolutions and pools work on blocks of channels (NCHWc), and element-wise operators between
them keep the blocks. Everything else needs its inputs reordered. The rules are those of
onnxruntime's nchwc_transformer.cc, with the blocks of AVX2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from archscope.ir import Shape
from archscope.onnx_form import Input, OnnxNode, Value

BLOCK, ALIGNED = 8, 4
"""Channels of a block, and the multiple that channels must be for an input to be reordered."""

BLOCKS, FROM_PLAIN, AS_INPUTS, PLAIN = LAYOUTS = ("blocks", "from plain", "as inputs", "plain")
"""An operator reads and writes blocks; writes blocks of an input that has none; writes blocks if
all its inputs are in blocks; or knows no blocks."""

POOLS = frozenset({"MaxPool", "AveragePool", "GlobalMaxPool", "GlobalAveragePool"})
KEEPS_BLOCKS = frozenset({
    "Relu", "Sigmoid", "Tanh", "Clip", "LeakyRelu", "HardSigmoid", "HardSwish", "Gelu", "Add",
    "Sum", "Mul", "BatchNormalization",
})  # fmt: skip

FREE = frozenset({"Reshape", "Flatten", "Squeeze", "Unsqueeze", "Identity"})
"""ONNX operators for which onnxruntime moves nothing."""


def layout(form: Value | None, ins: Sequence[Shape], out: Shape, groups: int) -> str:
    """Return the layout of an operator, one of `LAYOUTS`, by its ONNX form and its shapes.

    `groups` are those of a convolution.
    """
    if isinstance(form, Input):
        return AS_INPUTS
    if not isinstance(form, OnnxNode) or any(len(shape) != 3 for shape in (*ins, out)):
        return PLAIN  # only images have blocks
    channels = ins[0][0]
    if form.kind == "Conv" and isinstance(form.inputs[0], Input):
        return _of_convolution(channels, out[0], groups)
    if form.kind in POOLS:
        return PLAIN if channels % BLOCK else BLOCKS
    if form.kind == "Concat" and ("axis", 1) in form.attributes:
        return PLAIN if any(shape[0] % BLOCK for shape in ins) else AS_INPUTS
    keeps = operators(form) <= KEEPS_BLOCKS and all(shape == out for shape in ins)
    return AS_INPUTS if keeps else PLAIN


def _of_convolution(channels: int, out: int, groups: int) -> str:
    if groups == 1 and channels < BLOCK:
        return FROM_PLAIN
    if groups in (1, channels) and (groups == 1 or channels == out):
        return PLAIN if channels % ALIGNED else BLOCKS
    return PLAIN if channels // groups % BLOCK or out // groups % BLOCK else BLOCKS


def moves_last_axis(form: Value | None) -> bool:
    """Return whether adjacent elements are moved apart, and so one by one."""
    for part in _parts(form):
        order = dict(part.attributes).get("perm", ())
        if part.kind == "DepthToSpace" or (order and order[-1] != len(order) - 1):
            return True
    return False


def operators(form: Value | None) -> set[str]:
    """Return the kinds of ONNX operators in a form."""
    return {part.kind for part in _parts(form)}


def _parts(form: Value | None) -> Iterator[OnnxNode]:
    if isinstance(form, OnnxNode):
        yield form
        for value in form.inputs:
            yield from _parts(value)
