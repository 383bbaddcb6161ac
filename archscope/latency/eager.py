"""The kernels of eager torch, on a CPU for one image and one thread.

On a CPU, convolutions run in oneDNN, or are unfolded: their windows are laid out side by side and
matrices multiplied, group by group. The rules are those of `ConvParams::use_mkldnn` in
ATen/native/Convolution.cpp. oneDNN makes blocks of channels of the input and of the weights, and
resolves those of the output, at every call. A GPU has cuDNN, with a kernel for each.
"""

from __future__ import annotations

from math import prod

from archscope.axes import Window
from archscope.ir import Op, Shape
from archscope.latency.kernel_kinds import BY_ELEMENT, CONVOLUTIONS, SOFTMAXES, Kind
from archscope.latency.layouts import moves_last_axis, operators

SMALL, WIDE = 20480, 4
"""The elements of inputs that are unfolded, and the sides of windows that never are."""

BLOCK, ALIGNED, LONG = 8, 4, 128
"""Channels of a block of oneDNN with AVX2, and the multiple that positions must be for products of
matrices to run at full speed if there are many."""

MOST_PADDING = 4
"""Beside rows, of the depthwise convolutions that oneDNN has a fast kernel for with AVX2: as many
as the positions that it computes at once (jit_uni_dw_conv_kernel_utils.cpp)."""

EXPONENTIALS = frozenset({"Exp", "Sigmoid", "Elu", "Selu", "Celu", "Log"})
SLOW = frozenset({"Erf", "Gelu", "Tanh", "Softplus", "Mish", "Pow", "Sin", "Cos"})
"""ONNX operators with an exponential function, and with what takes longer."""


def kind_in_eager(
    kind: str, op: Op, ins: tuple[Shape, ...], out: Shape, groups: int, *, on_gpu: bool = False
) -> str:
    """Return the kind of a kernel that is of `kind` in general; `groups` are of a convolution."""
    if kind in CONVOLUTIONS:
        if on_gpu:
            return _convolution_on_gpu(kind, op, ins, out)
        return _convolution(kind, op, ins, out, groups)
    if op.scales_channels:
        return Kind.BATCH_NORM
    form = op.onnx(*ins)
    used = operators(form)
    if kind == Kind.NORM:
        return Kind.RESPONSE_NORM if "LRN" in used else Kind.NORM
    if kind == Kind.POOL:
        return Kind.MAX_POOL if "MaxPool" in used else Kind.POOL
    if kind in (Kind.COPY, *BY_ELEMENT) and "Resize" in used:
        return Kind.RESIZE
    if kind == Kind.COPY:
        return Kind.TRANSPOSE if moves_last_axis(form) else Kind.COPY
    if kind not in BY_ELEMENT:
        return kind
    if used & SOFTMAXES:
        return Kind.SOFTMAX
    if len(ins) > 1:
        return Kind.BINARY
    if used & SLOW:
        return Kind.SLOW_FUNCTION
    return Kind.FUNCTION if used & EXPONENTIALS else Kind.ELEMENT_WISE


def _convolution(kind: str, op: Op, ins: tuple[Shape, ...], out: Shape, groups: int) -> str:
    if is_unfolded(op, ins, groups):
        if groups > 1:
            return Kind.UNFOLDED_GROUPS
        if kind != Kind.POINTWISE:
            return Kind.UNFOLDED
        positions = prod(out[1:])
        return Kind.UNALIGNED if positions % ALIGNED and positions >= LONG else Kind.POINTWISE
    windows = _windows(op, ins)
    if kind == Kind.DEPTHWISE:
        beside = max((max(row.before, row.after) for row in windows[-1:]), default=0)
        slow = len(windows) > 2 or beside > MOST_PADDING
        return Kind.REFERENCE_DEPTHWISE if slow else Kind.DEPTHWISE
    if kind != Kind.POINTWISE and len(windows) > 2:
        return Kind.VOLUME
    if kind == Kind.GROUPED and any(channels // groups % BLOCK for channels in (ins[0][0], out[0])):
        return Kind.PLAIN_GROUPED
    return Kind.STRIDED if kind == Kind.POINTWISE else kind


def _convolution_on_gpu(kind: str, op: Op, ins: tuple[Shape, ...], out: Shape) -> str:
    """Return the kind of a convolution in cuDNN.

    Its fast products of matrices read 16 bytes at once, so that rows must be aligned.
    """
    windows = _windows(op, ins)
    if len(windows) > 2:
        return Kind.VOLUME
    if kind != Kind.POINTWISE:
        return kind
    if any(window.stride > 1 for window in windows):
        return Kind.STRIDED
    return Kind.UNALIGNED if prod(out[1:]) % ALIGNED else kind


def is_unfolded(op: Op, ins: tuple[Shape, ...], groups: int) -> bool:
    """Return whether torch computes a convolution as a product of matrices."""
    windows = _windows(op, ins)
    if len(windows) > 2:
        return False
    if all(window.stride == window.dilation == window.kernel == 1 for window in windows):
        return True
    wide = len(windows) == 2 and all(window.kernel >= WIDE for window in windows)
    return groups == 1 and not wide and prod(ins[0]) <= SMALL


def _windows(op: Op, ins: tuple[Shape, ...]) -> list[Window]:
    return [window for window in op.window(*ins) or () if isinstance(window, Window)]
