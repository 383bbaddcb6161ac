"""Convolutions, pooling and resizing."""

from __future__ import annotations

from math import prod
from typing import Any

from archscope.importers.coreml.program import Program, operation
from archscope.importers.coreml.windows import in_turns, l2_pool, resize, transposed, window


def _padding(t: Program, rank: int) -> list[int] | str:
    word = t.word("pad_type", "valid")
    if word == "custom":
        return in_turns(t.integers("pad", [0] * 2 * rank))
    return [0] * 2 * rank if word == "valid" else word


def _windows(t: Program, kernel: list[int]) -> dict[str, Any]:
    rank = len(kernel)
    ones = [1] * rank
    return window(
        t, t.value("x"), kernel, t.integers("strides", ones), t.integers("dilations", ones),
        _padding(t, rank),
    )  # fmt: skip


@operation("conv")
def convolution(t: Program) -> str:
    """Write a convolution."""
    x, weight = t.value("x"), t.value("weight")
    bias = [t.value("bias")] if t.has("bias") else []
    given = _windows(t, t.known_dims(weight)[2:])
    return str(t.op("Conv", x, weight, *bias, group=t.integer("groups", 1), **given))


@operation("conv_transpose")
def transposed_convolution(t: Program) -> str:
    """Write a transposed convolution."""
    weight = t.value("weight")
    rank = t.rank(weight) - 2
    ones = [1] * rank
    return transposed(
        t, t.value("x"), weight, [t.value("bias")] if t.has("bias") else [],
        t.integer("groups", 1), t.integers("strides", ones), t.integers("dilations", ones),
        _padding(t, rank), t.integers("output_shape")[2:],
    )  # fmt: skip


@operation("max_pool", "avg_pool", "l2_pool")
def pool(t: Program) -> str:
    """Write pooling."""
    x, kernel = t.value("x"), t.integers("kernel_sizes")
    given = {**_windows(t, kernel), "ceil_mode": t.integer("ceil_mode")}
    if t.entry.kind == "max_pool":
        return str(t.op("MaxPool", x, **given))
    given.pop("dilations")
    if t.entry.kind == "l2_pool":
        return l2_pool(t, x, given, prod(kernel))
    counted = int(not t.flag("exclude_padding_from_average"))
    return str(t.op("AveragePool", x, count_include_pad=counted, **given))


def _scaled(t: Program) -> list[int]:
    """Return the sizes of a result that is larger by factors."""
    height, width = t.known_dims(t.value("x"))[-2:]
    return [
        int(height * t.real("scale_factor_height", 1)), int(width * t.real("scale_factor_width", 1))
    ]  # fmt: skip


def _target(t: Program) -> list[int]:
    return [t.integer("target_size_height", 1), t.integer("target_size_width", 1)]


@operation("upsample_nearest_neighbor")
def nearest_by_factors(t: Program) -> str:
    """Write resizing to the nearest position."""
    return resize(t, t.value("x"), _scaled(t), "nearest", "asymmetric")


@operation("resize_nearest_neighbor")
def nearest_to_size(t: Program) -> str:
    """Write resizing to the nearest position."""
    return resize(t, t.value("x"), _target(t), "nearest", "asymmetric")


@operation("upsample_bilinear")
def bilinear_by_factors(t: Program) -> str:
    """Write resizing between positions."""
    aligned = t.flag("align_corners", True)
    half = t.flag("half_pixel_centers", not aligned)
    where = "align_corners" if aligned else "half_pixel" if half else "asymmetric"
    return resize(t, t.value("x"), _scaled(t), "linear", where)


SAMPLING = {
    "STRICT_ALIGN_CORNERS": "align_corners", "ALIGN_CORNERS": "align_corners",
    "DEFAULT": "asymmetric", "UNALIGN_CORNERS": "half_pixel",
}  # fmt: skip
"""ONNX's words for the positions that are read."""


@operation("resize_bilinear")
def bilinear_to_size(t: Program) -> str | list[str]:
    """Write resizing between positions."""
    mode = SAMPLING.get(t.word("sampling_mode", "DEFAULT"))
    if mode is None:
        return t.unknown()
    return resize(t, t.value("x"), _target(t), "linear", mode)


@operation("resize")
def resized(t: Program) -> str | list[str]:
    """Write resizing of the last axes."""
    words = t.word("interpolation_mode", "LINEAR")
    mode = {"NEAREST_NEIGHBOR": "nearest", "LINEAR": "linear"}.get(words)
    where = SAMPLING.get(t.word("sampling_mode", "DEFAULT"))
    count = t.integer("resized_dims")
    sizes = t.integers("shape")[-count:]
    if mode is None or where is None or count < 1 or min(sizes) < 1:
        return t.unknown()
    return resize(t, t.value("x"), sizes, mode, "asymmetric" if mode == "nearest" else where)


@operation("pixel_shuffle")
def pixel_shuffle(t: Program) -> str:
    """Write blocks of channels as positions."""
    block = t.integer("upscale_factor", 1)
    return str(t.op("DepthToSpace", t.value("x"), blocksize=block, mode="CRD"))


@operation("depth_to_space")
def depth_to_space(t: Program) -> str:
    """Write blocks of channels as positions."""
    return str(t.op("DepthToSpace", t.value("x"), blocksize=t.integer("block_size"), mode="DCR"))


@operation("space_to_depth")
def space_to_depth(t: Program) -> str:
    """Write blocks of positions as channels."""
    return str(t.op("SpaceToDepth", t.value("x"), blocksize=t.integer("block_size")))


@operation("pixel_unshuffle")
def pixel_unshuffle(t: Program) -> str:
    """Write blocks of positions as channels, those of a channel together."""
    x, block = t.value("x"), t.integer("downscale_factor", 1)
    batch, channels, height, width = t.known_dims(x)
    apart = t.reshaped(x, [batch, channels, height // block, block, width // block, block])
    turned = t.turned(apart, (0, 1, 3, 5, 2, 4))
    return t.reshaped(turned, [batch, channels * block**2, height // block, width // block])


@operation("crop")
def crop(t: Program) -> str:
    """Write a value without its borders."""
    x = t.value("x")
    (top, bottom), (left, right) = (t.integers(f"crop_{word}") for word in ("height", "width"))
    height, width = t.known_dims(x)[-2:]
    places = ([top, left], [height - bottom, width - right], [-2, -1])
    return str(t.op("Slice", x, *map(t.constant, places)))


@operation("resample")
def resample(t: Program) -> str | list[str]:
    """Write sampling at positions."""
    mode = {"bilinear": "linear", "nearest": "nearest"}[t.word("sampling_mode")]
    padding = {"constant": "zeros", "border": "border", "reflection": "reflection"}
    word = padding.get(t.word("padding_mode"))
    if (
        word is None
        or t.real("padding_value")
        or t.word("coordinates_mode") != "normalized_minus_one_to_one"
    ):
        return t.unknown()
    return str(
        t.op("GridSample", t.value("x"), t.value("coordinates"), mode=mode, padding_mode=word,
             align_corners=int(t.flag("align_corners")))
    )  # fmt: skip
