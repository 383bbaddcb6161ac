"""Convolutions, pooling and resizing, as both kinds of models have them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from archscope.importers.coreml.writing import Writing, same_padding


def window(
    t: Writing, x: str, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int],
    padding: Sequence[int] | str,
) -> dict[str, Any]:  # fmt: skip
    """Return the attributes of windows.

    `padding` is what is before and after each axis, first all before, or `same` or `same_lower`.
    """
    given: dict[str, Any] = {
        "kernel_shape": list(kernel), "strides": list(strides), "dilations": list(dilations)
    }  # fmt: skip
    if not isinstance(padding, str):
        return {**given, "pads": list(padding)}
    lower = padding == "same_lower"
    found = same_padding(t.dims(x)[2:], kernel, strides, dilations, lower)
    if found is None:
        return {**given, "auto_pad": "SAME_LOWER" if lower else "SAME_UPPER"}
    return {**given, "pads": found}


def in_turns(padding: Sequence[int]) -> list[int]:
    """Return padding before and after each axis in turns as all before, then all after."""
    return [*padding[::2], *padding[1::2]]


def transposed(
    t: Writing, x: str, weight: str, bias: Sequence[str], groups: int,
    strides: Sequence[int], dilations: Sequence[int], padding: Sequence[int] | str,
    sizes: Sequence[int],
) -> str:  # fmt: skip
    """Write a transposed convolution; `sizes` are those of the result, if they are stated."""
    kernel = t.dims(weight)[2:]
    rank = len(kernel)
    given: dict[str, Any] = {"strides": list(strides), "dilations": list(dilations)}
    full = [
        (size - 1) * stride + (width - 1) * dilation + 1
        for size, stride, width, dilation in zip(
            t.known_dims(x)[2:], strides, kernel, dilations, strict=True
        )
    ]
    if isinstance(padding, str):
        wanted = list(sizes) or [
            size * stride for size, stride in zip(t.known_dims(x)[2:], strides, strict=True)
        ]
        cut = [max(whole - size, 0) for whole, size in zip(full, wanted, strict=True)]
        lower = padding == "same_lower"
        begin = [-(-size // 2) if lower else size // 2 for size in cut]
        padding = [*begin, *(size - first for size, first in zip(cut, begin, strict=True))]
        sizes = wanted
    if sizes:
        extra = [
            size - (whole - padding[axis] - padding[rank + axis])
            for axis, (size, whole) in enumerate(zip(sizes, full, strict=True))
        ]
        given["output_padding"] = extra if any(extra) else None
    return str(t.op("ConvTranspose", x, weight, *bias, group=groups, pads=list(padding), **given))


def l2_pool(t: Writing, x: str, given: dict[str, Any], count: int) -> str:
    """Write the root of the sum of squares in windows."""
    mean = t.op("AveragePool", t.op("Mul", x, x), count_include_pad=1, **given)
    return str(t.op("Sqrt", t.op("Mul", mean, t.number(count, x))))


def resize(t: Writing, x: str, sizes: Sequence[int], mode: str, where: str) -> str:
    """Write resizing of the last axes to sizes; `where` says which positions are read."""
    rank = t.rank(x)
    target = t.constant([*t.known_dims(x)[: rank - len(sizes)], *sizes])
    nearest = "floor" if mode == "nearest" else None
    return str(
        t.op("Resize", x, "", "", target, mode=mode, coordinate_transformation_mode=where,
             nearest_mode=nearest)
    )  # fmt: skip
