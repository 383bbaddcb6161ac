"""The kernel of a single operator: its kind and its features.

The kind follows from the facts of the operator: its macs, window, traits and ONNX form.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod, sqrt

from msgspec import Struct

from archscope.axes import Scatter, Window
from archscope.ir import WHOLE, Op, Shape, Storage, facts
from archscope.latency.eager import kind_in_eager
from archscope.latency.kernel_kinds import (
    BY_ELEMENT,
    CACHE,
    CHEAP,
    EAGER,
    EAGER_GPU,
    FEATURES,
    FEW,
    JOINED,
    NEAR,
    NONE,
    ONNXRUNTIME,
    PLAIN_OF,
    RELATIONS,
    SOFTMAXES,
    Kind,
)
from archscope.latency.layouts import AS_INPUTS, FREE, PLAIN, layout, moves_last_axis, operators
from archscope.onnx_form import Input, OnnxNode, Value


class Piece(Struct, frozen=True, gc=False):
    """An operator on given inputs as a separate kernel, and the facts that onnxruntime uses."""

    kind: str
    features: tuple[float, ...]
    layout: str = PLAIN
    activation: str = ""  # in ONNX, if a convolution can absorb it
    scales: bool = False  # only multiplies channels by weights, or adds weights to them


@lru_cache(maxsize=1 << 14)
def piece_of(op: Op, ins: tuple[Shape, ...], fusion: str = NONE) -> Piece:
    """Return an operator on given inputs as a separate kernel."""
    own, out = facts(op, ins), op.shape(*ins)
    read, written = sum(map(prod, ins)), prod(out)
    weight = own.params + own.buffers
    groups, taps = _groups(op, ins, out)
    kind = _kind(op, ins, groups, taps)
    values = {
        "kernels": 1.0,
        "macs": own.macs,
        "macs_by_8": own.macs * _padding(8, ins, out, groups, kind),
        "macs_by_16": own.macs * _padding(16, ins, out, groups, kind),
        "input": read,
        "output": written,
        "weight": weight,
        "patches": own.macs * groups / out[0] if out and weight else 0.0,
        "work": own.elementwise,
        "mixed": sqrt(own.macs * (read + written + weight)),
        "spilled": max(read + written + weight - CACHE, 0),
        "streamed": max(read + written + weight - NEAR, 0),
    }
    if fusion in (EAGER, ONNXRUNTIME) and kind == Kind.POINTWISE and prod(out[1:]) == 1:
        kind = Kind.SINGLE
    elif fusion in (EAGER, EAGER_GPU):
        kind = kind_in_eager(kind, op, ins, out, groups, on_gpu=fusion == EAGER_GPU)
        values["kernels"] = float(groups) if kind == Kind.UNFOLDED_GROUPS else 1.0
    features = tuple(float(values.get(name, 0.0)) for name in FEATURES)
    if fusion != ONNXRUNTIME:
        return Piece(kind, features)
    form = op.onnx(*ins)
    if kind == Kind.VIEW or isinstance(form, Input):
        moves = bool(operators(form) - FREE) and not op.is_identity(*ins)
        kind = Kind.COPY if moves else Kind.VIEW
    arranged = layout(form, ins, out, groups)
    if kind == Kind.VIEW and op.is_identity(*ins):
        arranged = AS_INPUTS
    return Piece(
        _in_onnxruntime(kind, form, arranged),
        features,
        arranged,
        _activation(op, form) if len(ins) == 1 else "",
        op.valuewise and not op.nonlinear and len(ins) == 1 and own.params > 0,
    )


def _in_onnxruntime(kind: str, form: Value | None, arranged: str) -> str:
    """Return the kind of a kernel, which also depends on the layout."""
    used = operators(form)
    if kind in (Kind.COPY, *BY_ELEMENT) and "Resize" in used:
        return Kind.RESIZE
    if kind == Kind.COPY and moves_last_axis(form):
        return Kind.TRANSPOSE
    if kind == Kind.NORM and "LRN" in used:
        return Kind.RESPONSE_NORM
    if kind == Kind.FUNCTION and used & SOFTMAXES:
        return Kind.SOFTMAX
    if kind == Kind.FUNCTION and used == {"Mul", "Sigmoid"}:
        return Kind.SWISH
    if arranged != PLAIN:
        return kind
    if kind == Kind.POOL and used == {"AveragePool"}:
        return Kind.PLAIN_POOL
    return PLAIN_OF.get(kind, kind)


def _groups(op: Op, ins: tuple[Shape, ...], out: Shape) -> tuple[int, int]:
    """Return the groups of a convolution and the taps of its window; 1 and 1 for others."""
    own = facts(op, ins)
    if not own.macs or not _is_convolution(op, ins):
        return 1, 1
    taps = prod(getattr(window, "kernel", 1) for window in own.window or ())
    met = own.macs // prod(out)  # weights per output value
    return max(ins[0][0] * taps // max(met, 1), 1), taps


def _kind(op: Op, ins: tuple[Shape, ...], groups: int, taps: int) -> str:
    own = facts(op, ins)
    if op.storage is Storage.VIEW or op.is_identity(*ins):
        return Kind.VIEW
    if own.macs:
        return _kind_of_product(op, ins, groups, taps)
    if op.normalises and not op.valuewise:
        return Kind.NORM
    if op.pools and own.window is not WHOLE:
        return Kind.POOL
    if not own.elementwise:
        return Kind.COPY
    if own.window is WHOLE:
        return Kind.REDUCTION
    is_function = own.elementwise > CHEAP * own.elements and op.nonlinear
    return Kind.FUNCTION if is_function else Kind.ELEMENT_WISE


def _kind_of_product(op: Op, ins: tuple[Shape, ...], groups: int, taps: int) -> str:
    own = facts(op, ins)
    if op.relates:
        if own.params > own.biases:  # products with weights, one position after another
            return Kind.RECURRENT
        return Kind.WINDOW_ATTENTION if op.in_windows else Kind.ATTENTION
    if not own.params + own.buffers - own.biases:
        return Kind.PRODUCT
    if not _is_convolution(op, ins):
        return Kind.TRANSPOSED if _has(Scatter, op, ins) else Kind.LINEAR
    channels = ins[0][0]
    if groups > 1:
        return Kind.DEPTHWISE if groups == channels else Kind.GROUPED
    if channels <= FEW:
        return Kind.STEM
    return Kind.DENSE if taps > 1 else Kind.POINTWISE


def _is_convolution(op: Op, ins: tuple[Shape, ...]) -> bool:
    """Return whether an operator applies the same weights, of any form, in many windows."""
    own = facts(op, ins)
    weights = own.params + own.buffers - own.biases
    return op.convolution or (0 < weights < own.macs and _has(Window, op, ins))


def _has(axis: type, op: Op, ins: tuple[Shape, ...]) -> bool:
    return any(isinstance(window, axis) for window in facts(op, ins).window or ())


def _padding(lanes: int, ins: tuple[Shape, ...], out: Shape, groups: int, kind: str) -> float:
    """Return the ratio by which padding to multiples of `lanes` increases channels."""
    if not out or not ins or not ins[0] or kind in (Kind.PRODUCT, *RELATIONS):
        return 1.0
    sides: tuple[int, ...] = ins[0][0] // groups, out[0] // groups
    if kind in (Kind.DEPTHWISE, Kind.STEM):
        sides = (out[0],)
    return prod(-(-max(side, 1) // lanes) * lanes / max(side, 1) for side in sides)


def _activation(op: Op, form: Value | None) -> str:
    """Return the ONNX operator of an activation that the previous kernel absorbs, if it is one."""
    if not (op.valuewise and op.nonlinear and isinstance(form, OnnxNode) and form.kind in JOINED):
        return ""
    alone = isinstance(form.inputs[0], Input) and len(operators(form)) == 1
    return form.kind if alone else ""
