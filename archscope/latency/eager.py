"""The kernels of eager torch on a CPU, for one image and one thread.

Convolutions run in oneDNN, or are unfolded: their windows are laid out side by side and matrices
multiplied, group by group. The rules are those of `ConvParams::use_mkldnn` in
ATen/native/Convolution.cpp. oneDNN makes blocks of channels of the input and of the weights, and
resolves those of the output, at every call.
"""

from __future__ import annotations

from math import prod

from archscope.axes import Window
from archscope.ir import Op, Shape
from archscope.latency.kernel_kinds import (
    BATCH_NORM,
    BINARY,
    BY_ELEMENT,
    CONVOLUTIONS,
    COPY,
    ELEMENT_WISE,
    FUNCTION,
    GROUPED,
    MAX_POOL,
    NORM,
    PLAIN_GROUPED,
    POINTWISE,
    POOL,
    RESPONSE_NORM,
    SLOW_FUNCTION,
    SOFTMAX,
    SOFTMAXES,
    STRIDED,
    TRANSPOSE,
    UNALIGNED,
    UNFOLDED,
    UNFOLDED_GROUPS,
)
from archscope.latency.layouts import moves_last_axis, operators

SMALL, WIDE = 20480, 4
"""The elements of inputs that are unfolded, and the sides of windows that never are."""

BLOCK, ALIGNED, LONG = 8, 4, 128
"""Channels of a block of oneDNN with AVX2, and the multiple that positions must be for products of
matrices to run at full speed if there are many."""

EXPONENTIALS = frozenset({"Exp", "Sigmoid", "Elu", "Selu", "Celu", "Log"})
SLOW = frozenset({"Erf", "Gelu", "Tanh", "Softplus", "Mish", "Pow", "Sin", "Cos"})
"""ONNX operators with an exponential function, and with what takes longer."""


def kind_in_eager(kind: str, op: Op, ins: tuple[Shape, ...], out: Shape, groups: int) -> str:
    """Return the kind of a kernel that is of `kind` in general; `groups` are of a convolution."""
    if kind in CONVOLUTIONS:
        return _convolution(kind, op, ins, out, groups)
    if op.scales_channels:
        return BATCH_NORM
    form = op.onnx(*ins)
    used = operators(form)
    if kind == NORM:
        return RESPONSE_NORM if "LRN" in used else NORM
    if kind == POOL:
        return MAX_POOL if "MaxPool" in used else POOL
    if kind == COPY:
        return TRANSPOSE if moves_last_axis(form) else COPY
    if kind not in BY_ELEMENT:
        return kind
    if used & SOFTMAXES:
        return SOFTMAX
    if len(ins) > 1:
        return BINARY
    return SLOW_FUNCTION if used & SLOW else FUNCTION if used & EXPONENTIALS else ELEMENT_WISE


def _convolution(kind: str, op: Op, ins: tuple[Shape, ...], out: Shape, groups: int) -> str:
    if is_unfolded(op, ins, groups):
        if groups > 1:
            return UNFOLDED_GROUPS
        if kind != POINTWISE:
            return UNFOLDED
        positions = prod(out[1:])
        return UNALIGNED if positions % ALIGNED and positions >= LONG else POINTWISE
    if kind == GROUPED and any(channels // groups % BLOCK for channels in (ins[0][0], out[0])):
        return PLAIN_GROUPED
    return STRIDED if kind == POINTWISE else kind


def is_unfolded(op: Op, ins: tuple[Shape, ...], groups: int) -> bool:
    """Return whether torch computes a convolution as a product of matrices."""
    windows = [window for window in op.window(*ins) or () if isinstance(window, Window)]
    if len(windows) > 2:
        return False
    if all(window.stride == window.dilation == window.kernel == 1 for window in windows):
        return True
    wide = len(windows) == 2 and all(window.kernel >= WIDE for window in windows)
    return groups == 1 and not wide and prod(ins[0]) <= SMALL
