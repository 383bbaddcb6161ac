"""Convolutions, pooling, resizing and borders."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from archscope.importers.coreml.messages import Message
from archscope.importers.coreml.neural_network import NeuralNetwork, layer
from archscope.importers.coreml.windows import l2_pool, resize, transposed, window

MAX, AVERAGE = 0, 1
VALID, SAME = 1, 2
"""Paddings of layers in three dimensions; 0 is stated."""

SIDES = ("Depth", "Height", "Width")
ENDS = (("Front", "Back"), ("Top", "Bottom"), ("Left", "Right"))


def _borders(message: Message) -> list[int]:
    """Return borders before each axis, then after each."""
    edges = message.messages("borderAmounts") or [Message(b"", {})] * 2
    return [edge.integer(f"{word}EdgeSize") for word in ("start", "end") for edge in edges]


def _padding(settings: Message) -> list[int] | str:
    if "same" in settings:
        upper = not settings.message("same").integer("asymmetryMode")
        return "same" if upper else "same_lower"
    return _borders(settings.message("valid").message("paddingAmounts"))


def _padding_of_three(settings: Message) -> list[int] | str:
    mode = settings.integer("paddingType")
    if mode == SAME:
        return "same"
    if mode == VALID:
        return [0] * 6
    return [settings.integer(f"customPadding{ends[at]}") for at in (0, 1) for ends in ENDS]


def _sides(settings: Message, word: str, default: int = 1) -> list[int]:
    return [settings.integer(f"{word}{side}", default) for side in SIDES]


@layer("convolution")
def convolution(t: NeuralNetwork) -> str:
    """Write a convolution, which may be transposed."""
    s = t.settings
    kernel = s.integers("kernelSize") or [3, 3]
    strides, dilations = s.integers("stride") or [1, 1], s.integers("dilationFactor") or [1, 1]
    return _convolved(t, kernel, strides, dilations, _padding(s), s.integer("kernelChannels"))


@layer("convolution3d")
def convolution_of_three(t: NeuralNetwork) -> str:
    """Write a convolution of three dimensions."""
    s = t.settings
    groups = s.integer("nGroups", 1)
    channels = s.integer("inputChannels")
    inner = channels if s.flag("isDeconvolution") else channels // groups
    kernel, strides, dilations = (_sides(s, word) for word in ("kernel", "stride", "dilation"))
    return _convolved(t, kernel, strides, dilations, _padding_of_three(s), inner)


def _convolved(
    t: NeuralNetwork, kernel: Sequence[int], strides: Sequence[int], dilations: Sequence[int],
    padding: list[int] | str, inner: int,
) -> str:  # fmt: skip
    """Write a convolution with so many channels in its kernels."""
    s = t.settings
    x, back = t.image() if len(kernel) == 2 else (t.value(), lambda made: made)
    outer, groups = s.integer("outputChannels"), s.integer("nGroups", 1)
    bias = [t.weight("bias", [outer])] if s.flag("hasBias") else []
    if s.flag("isDeconvolution"):
        weight = t.weight("weights", [inner, outer // groups, *kernel], axis=1)
        ones = [1] * len(kernel)
        sizes = s.integers("outputShape")[-len(kernel) :]
        return back(transposed(t, x, weight, bias, groups, strides, ones, padding, sizes))
    stored = len(t.layer.inputs) == 1
    weight = t.weight("weights", [outer, inner, *kernel]) if stored else t.value(1)
    given = window(t, x, kernel, strides, dilations, padding)
    return back(str(t.op("Conv", x, weight, *bias, group=groups, **given)))


@layer("pooling")
def pooling(t: NeuralNetwork) -> str:
    """Write pooling, of windows or of all positions."""
    s = t.settings
    x, back = t.image()
    kind = s.integer("type")
    if s.flag("globalPooling"):
        words = {MAX: "GlobalMaxPool", AVERAGE: "GlobalAveragePool"}
        if kind in words:
            return back(str(t.op(words[kind], x)))
        return back(str(t.op("ReduceL2", x, t.constant([2, 3]), keepdims=1)))
    kernel, strides = s.integers("kernelSize") or [3, 3], s.integers("stride") or [1, 1]
    last = "includeLastPixel" in s
    padding = (
        (s.message("includeLastPixel").integers("paddingAmounts") or [0, 0]) * 2
        if last
        else _padding(s)
    )
    given = {**window(t, x, kernel, strides, [1, 1], padding), "ceil_mode": int(last)}
    return back(_pooled(t, x, kind, given, not s.flag("avgPoolExcludePadding")))


def _pooled(t: NeuralNetwork, x: str, kind: int, given: dict[str, Any], counted: bool) -> str:
    given.pop("dilations")
    if kind == MAX:
        return str(t.op("MaxPool", x, **given))
    if kind == AVERAGE:
        return str(t.op("AveragePool", x, count_include_pad=int(counted), **given))
    return l2_pool(t, x, given, prod(given["kernel_shape"]))


@layer("pooling3d")
def pooling_of_three(t: NeuralNetwork) -> str:
    """Write pooling in three dimensions."""
    s = t.settings
    kernel, strides = _sides(s, "kernel", 3), _sides(s, "stride")
    given = window(t, t.value(), kernel, strides, [1, 1, 1], _padding_of_three(s))
    return _pooled(t, t.value(), s.integer("type"), given, not s.flag("countExcludePadding"))


@layer("globalPooling3d")
def global_pooling_of_three(t: NeuralNetwork) -> str:
    """Write pooling over all positions."""
    kind = "GlobalAveragePool" if t.settings.integer("type") else "GlobalMaxPool"
    return str(t.op(kind, t.value()))


WHERE = {0: "asymmetric", 1: "align_corners", 2: "half_pixel"}
"""ONNX's words for the positions that upsampling reads."""


@layer("upsample")
def upsample(t: NeuralNetwork) -> str:
    """Write resizing by factors."""
    s = t.settings
    x = t.whole()
    factors = s.integers("scalingFactor") or s.numbers("fractionalScalingFactor") or [1, 1]
    sizes = [int(size * f) for size, f in zip(t.known_dims(x)[-2:], factors, strict=True)]
    if s.integer("mode") == 0:
        return resize(t, x, sizes, "nearest", "asymmetric")
    return resize(t, x, sizes, "linear", WHERE[s.integer("linearUpsampleMode")])


@layer("resizeBilinear")
def resize_bilinear(t: NeuralNetwork) -> str | list[str]:
    """Write resizing between positions to a size."""
    s = t.settings
    where = {0: "align_corners", 1: "align_corners", 2: "asymmetric"}
    mode = where.get(s.message("mode").integer("samplingMethod"))
    if mode is None:
        return t.unknown()
    return resize(t, t.whole(), s.integers("targetSize") or [1, 1], "linear", mode)


@layer("padding")
def padding(t: NeuralNetwork) -> str:
    """Write borders around images."""
    s = t.settings
    x = t.whole()
    mode = "reflect" if "reflection" in s else "edge" if "replication" in s else "constant"
    value = t.number(s.message("constant").number("value"), x) if mode == "constant" else ""
    places = t.constant(_borders(s.message("paddingAmounts")))
    return str(t.op("Pad", x, places, value, t.constant([-2, -1]), mode=mode))


@layer("crop")
def crop(t: NeuralNetwork) -> str:
    """Write images without their borders, or as large as others."""
    s = t.settings
    x = t.whole()
    height, width = t.known_dims(x)[-2:]
    if len(t.layer.inputs) > 1:
        top, left = s.integers("offset") or [0, 0]
        rows, columns = t.known_dims(t.whole(1))[-2:]
        ends = [top + rows, left + columns]
    else:
        top, left, bottom, right = _borders(s.message("cropAmounts"))
        ends = [height - bottom, width - right]
    return str(t.op("Slice", x, *map(t.constant, ([top, left], ends, [-2, -1]))))


@layer("reorganizeData")
def reorganize(t: NeuralNetwork) -> str:
    """Write blocks of positions as channels, or the reverse."""
    s = t.settings
    x, back = t.image()
    block = s.integer("blockSize", 2)
    if s.integer("mode") == 0:
        return back(str(t.op("SpaceToDepth", x, blocksize=block)))
    mode = "DCR" if s.integer("mode") == 1 else "CRD"
    return back(str(t.op("DepthToSpace", x, blocksize=block, mode=mode)))
