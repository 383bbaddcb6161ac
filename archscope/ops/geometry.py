"""Compute windows from attributes: values for all axes or for each, and all forms of padding."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from math import prod
from typing import Any, TypeVar

from archscope.axes import Scatter, Window
from archscope.errors import ShapeError
from archscope.ir import Shape, text_of
from archscope.ops.attributes import Padding, Size

Value = TypeVar("Value")


def per_axis(value: Value | tuple[Value, ...], rank: int, what: str) -> tuple[Value, ...]:
    """Return a value for each of `rank` axes; a single value applies to all. Raises ShapeError."""
    if not isinstance(value, tuple):
        return (value,) * rank
    if len(value) != rank:
        raise ShapeError(f"{what} has {len(value)} values, the input has {rank} spatial axes")
    return value


def short(values: Iterable[Value]) -> Value | tuple[Value, ...]:
    """Return the value that all axes share, or the tuple of values."""
    values = tuple(values)
    return values[0] if all(value == values[0] for value in values) else values


def short_padding(pairs: Sequence[tuple[int, int]]) -> Padding:
    """Return the padding before and after each axis as the shortest equivalent attribute."""
    if all(before == after for before, after in pairs):
        return short(before for before, _ in pairs)
    return tuple(pairs)


def spatial(shape: Shape, name: str) -> Shape:
    """Return the spatial part of a shape, or raise ShapeError if there is none."""
    if not 2 <= len(shape) <= 4:
        raise ShapeError(f"'{name}' needs 1 to 3 spatial axes, got {text_of(shape)}")
    return shape[1:]


def sliding(
    name: str,
    shape: Shape,
    kernel: Size,
    stride: Size,
    padding: Padding,
    dilation: Size = 1,
    ceil: bool = False,
) -> tuple[Window, ...]:
    """Return the window along each spatial axis of `shape`.

    `same` pads like TensorFlow: the output has ceil(size / stride) positions, and an odd position
    of padding is after the input. With stride 1 that equals torch's `same`.
    """
    sizes = spatial(shape, name)
    rank = len(sizes)
    kernels = per_axis(kernel, rank, f"kernel of '{name}'")
    strides = per_axis(stride, rank, f"stride of '{name}'")
    dilations = per_axis(dilation, rank, f"dilation of '{name}'")
    if padding == "same":
        pads = tuple(map(_same, sizes, kernels, strides, dilations))
    else:
        pads = tuple(
            pad if isinstance(pad, tuple) else (pad, pad)
            for pad in per_axis(padding, rank, f"padding of '{name}'")
        )
    windows = tuple(
        Window(k, s, before, after, d, ceil)
        for k, s, (before, after), d in zip(kernels, strides, pads, dilations, strict=True)
    )
    for size, window in zip(sizes, windows, strict=True):
        if window.slide(size) < 1:  # with `ceil`, a window may be wider than its input
            raise ShapeError(
                f"'{name}' has a window of {window.extent} but its input {text_of(shape)}"
                f" with padding is {size + window.before + window.after} wide"
            )
    return windows


def slid(windows: tuple[Window | Scatter, ...], shape: Shape) -> Shape:
    """Return the spatial sizes of an input after windows."""
    return tuple(window.slide(size) for window, size in zip(windows, shape[1:], strict=True))


def padded(windows: tuple[Window, ...], shape: Shape) -> int:
    """Return the number of elements of an input including its padding."""
    sizes = (w.before + size + w.after for w, size in zip(windows, shape[1:], strict=True))
    return shape[0] * prod(sizes)


def taps(windows: tuple[Window | Scatter, ...]) -> int:
    """Return the number of positions of a kernel."""
    return prod(window.kernel for window in windows)


def _same(size: int, kernel: int, stride: int, dilation: int) -> tuple[int, int]:
    extent = dilation * (kernel - 1) + 1
    total = max((-(-size // stride) - 1) * stride + extent - size, 0)
    return total // 2, total - total // 2


def symmetric(windows: tuple[Window, ...]) -> bool:
    """Return whether every axis has equal padding before and after."""
    return all(window.before == window.after for window in windows)


def onnx_windows(windows: tuple[Window | Scatter, ...]) -> dict[str, Any]:
    """Return the attributes of ONNX's sliding operators; None for those with their default."""
    strides, dilations = (
        tuple(getattr(window, name) for window in windows) for name in ("stride", "dilation")
    )
    before, after = (
        tuple(w.padding if isinstance(w, Scatter) else getattr(w, side) for w in windows)
        for side in ("before", "after")
    )
    return {
        "kernel_shape": tuple(window.kernel for window in windows),
        "strides": strides if set(strides) != {1} else None,
        "pads": before + after if any(before + after) else None,
        "dilations": dilations if set(dilations) != {1} else None,
    }


def torch_pad(windows: tuple[Window, ...]) -> tuple[int, ...]:
    """Return the padding in the order of torch.nn.functional.pad: last axis first."""
    return tuple(side for window in reversed(windows) for side in (window.before, window.after))
