"""Convolutions, pooling and resizing."""

from __future__ import annotations

from typing import Any

from archscope.errors import DataError
from archscope.importers.openvino.translation import Translation, layer

AUTO = {"same_upper": "SAME_UPPER", "same_lower": "SAME_LOWER", "valid": "VALID"}
"""ONNX's words for padding that depends on the size."""


def _windows(t: Translation, kernel: bool = False) -> dict[str, Any]:
    """Return the attributes of windows."""
    auto = AUTO.get(t.word("auto_pad"))
    begin, end = t.integers_of("pads_begin"), t.integers_of("pads_end")
    rank = len(t.dims()) - 2
    given: dict[str, Any] = {
        "strides": t.integers_of("strides", [1] * rank),
        "dilations": t.integers_of("dilations", [1] * rank),
    }
    if auto is None:
        given["pads"] = (begin or [0] * rank) + (end or [0] * rank)
    else:
        given["auto_pad"] = auto
    if kernel:
        given["kernel_shape"] = t.integers_of("kernel")
    return given


@layer("Convolution")
def convolution(t: Translation) -> str:
    """Write a convolution."""
    return str(t.op("Conv", *t.inputs, **_windows(t)))


@layer("GroupConvolution")
def group_convolution(t: Translation) -> str:
    """Write a convolution whose weights have the groups as an axis of their own."""
    groups, out, *rest = t.dims(1)
    x, weight = t.inputs
    weight = t.reshaped(weight, [groups * out, *rest])
    return str(t.op("Conv", x, weight, group=groups, **_windows(t)))


@layer("ConvolutionBackpropData", "GroupConvolutionBackpropData")
def transposed_convolution(t: Translation) -> str:
    """Write a transposed convolution."""
    x, weight, *_ = t.inputs
    groups, shape = 1, t.dims(1)
    if t.layer.kind.startswith("Group"):
        groups, into, *rest = shape
        weight = t.reshaped(weight, [groups * into, *rest])
    given = _windows(t)
    if len(t.layer.inputs) > 2:
        given["output_shape"] = t.list_of(2)
        # ONNX computes the padding of a stated size.
        given.pop("pads", None)
    extra = t.integers_of("output_padding")
    return str(
        t.op("ConvTranspose", x, weight, group=groups, output_padding=extra or None, **given)
    )


@layer("DeformableConvolution")
def deformable_convolution(t: Translation) -> str:
    """Write a deformable convolution."""
    x, offset, weight, *mask = t.inputs
    given = _windows(t)
    if "auto_pad" in given:
        return t.unknown()[0]
    return str(
        t.op(
            "DeformConv", x, weight, offset, "", *mask, group=t.integer("group", 1),
            offset_group=t.integer("deformable_group", 1), **given,
        )
    )  # fmt: skip


@layer("MaxPool")
def max_pool(t: Translation) -> str:
    """Write a maximum of windows; its second output is the places of the maxima."""
    given = _windows(t, kernel=True)
    return str(t.op("MaxPool", t.value_of(0), ceil_mode=_rounds_up(t), **given))


@layer("AvgPool")
def average_pool(t: Translation) -> str:
    """Write an average of windows."""
    given = _windows(t, kernel=True)
    given.pop("dilations")
    counted = int(not t.flag("exclude-pad"))
    return str(
        t.op(
            "AveragePool", t.value_of(0), count_include_pad=counted, ceil_mode=_rounds_up(t),
            **given,
        )
    )  # fmt: skip


def _rounds_up(t: Translation) -> int:
    return int(t.word("rounding_type", "floor").startswith("ceil"))


@layer("AdaptiveAvgPool")
def adaptive_average_pool(t: Translation) -> str:
    """Write an average of windows of a given number."""
    if all(size == 1 for size in t.out().dims[2:]):
        return str(t.op("GlobalAveragePool", t.value_of(0)))
    return t.prepared("AdaptiveAveragePool", t.value_of(0))


@layer("AdaptiveMaxPool")
def adaptive_max_pool(t: Translation) -> str:
    """Write the maximum over all positions; that of more windows is unknown."""
    if all(size == 1 for size in t.out().dims[2:]):
        return str(t.op("GlobalMaxPool", t.value_of(0)))
    return t.unknown()[0]


@layer("Interpolate")
def interpolate(t: Translation) -> str:
    """Write resizing of some axes."""
    if t.layer.opset == "opset1":
        return _resized_of_opset_1(t)
    pads = t.integers_of("pads_begin") + t.integers_of("pads_end")
    mode = {"linear_onnx": "linear"}.get(t.word("mode"), t.word("mode"))
    if any(pads) or mode not in ("nearest", "linear", "cubic"):
        return t.unknown()[0]
    rank, given = len(t.dims()), len(t.layer.inputs)
    newer = t.layer.opset not in ("opset4", "opset0")
    by_size = t.word("shape_calculation_mode") == "sizes"
    axes_at = 2 if newer else 3
    axes = t.list_of(axes_at) if given > axes_at else [*range(rank)]
    source = t.value_of(1 if newer or by_size else 2)
    where = t.word("coordinate_transformation_mode", "half_pixel")
    attributes: dict[str, Any] = {
        "mode": mode, "coordinate_transformation_mode": where, "axes": axes,
        "antialias": int(t.flag("antialias")),
        "nearest_mode": t.word("nearest_mode", "round_prefer_floor") if mode == "nearest" else None,
        "cubic_coeff_a": t.number("cube_coeff", -0.75) if mode == "cubic" else None,
    }  # fmt: skip
    ends = t.out().dims
    if t.weights.missing and all(ends[axis] > 0 for axis in axes):
        source, by_size = t.constant([ends[axis] for axis in axes]), True
    place = ["", "", source] if by_size else ["", source]
    return str(t.op("Resize", t.value_of(0), *place, **attributes))


def _resized_of_opset_1(t: Translation) -> str:
    mode, axes = t.word("mode"), t.integers_of("axes")
    if mode not in ("nearest", "linear") or any(
        t.integer(word, 0) for word in ("pads_begin", "pads_end")
    ):
        return t.unknown()[0]
    where = "align_corners" if t.flag("align_corners") else "asymmetric"
    nearest = "floor" if mode == "nearest" else None
    return str(
        t.op("Resize", t.value_of(0), "", "", t.value_of(1), mode=mode, axes=axes,
             coordinate_transformation_mode=where, nearest_mode=nearest)
    )  # fmt: skip


@layer("GridSample")
def grid_sample(t: Translation) -> str:
    """Write sampling at positions."""
    mode = {"bilinear": "linear", "bicubic": "cubic"}.get(t.word("mode"), t.word("mode"))
    return str(
        t.op("GridSample", *t.inputs, mode=mode, padding_mode=t.word("padding_mode", "zeros"),
             align_corners=int(t.flag("align_corners")))
    )  # fmt: skip


@layer("DepthToSpace")
def depth_to_space(t: Translation) -> str:
    """Write blocks of channels as positions."""
    mode = {"blocks_first": "DCR", "depth_first": "CRD"}[t.word("mode")]
    return str(t.op("DepthToSpace", t.value_of(0), blocksize=t.integer("block_size", 1), mode=mode))


@layer("SpaceToDepth")
def space_to_depth(t: Translation) -> str:
    """Write blocks of positions as channels."""
    block = t.integer("block_size", 1)
    if t.word("mode") == "blocks_first":
        return str(t.op("SpaceToDepth", t.value_of(0), blocksize=block))
    batch, channels, height, width = (size if size > 0 else 0 for size in t.dims())
    if not (channels and height and width):
        raise DataError(f"line {t.layer.line}: {t.layer} has an input of any size")
    apart = t.reshaped(
        t.value_of(0), [batch, channels, height // block, block, width // block, block]
    )
    turned = t.turned(apart, (0, 1, 3, 5, 2, 4))
    return t.reshaped(turned, [batch, channels * block**2, height // block, width // block])
