"""The learned parts of the heads of YOLO models, without the decoding of boxes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import prod
from typing import Any

from archscope.importers.ultralytics.blocks import Blocks, conv, dwconv, plain

Branch = Callable[[int, str], str]
"""Adds a branch of a level."""


def _boxes(net: Blocks, path: str, xs: Sequence[str], nc: int, reg_max: int, light: bool,
           more: Branch | None = None, one2one: bool = False) -> None:  # fmt: skip
    """Add the branches of boxes and classes of each level, and their concatenation.

    `light` classes come from depthwise convolutions, as since YOLOv10. `more` adds a third branch.
    """
    first = net.channels(xs[0])
    wide = max(16, first // 4, reg_max * 4)
    classes = max(first, min(nc, 100))
    prefix = f"{path}.one2one_" if one2one else f"{path}."
    for level, x in enumerate(xs):
        at = f"{prefix}cv2.{level}"
        box = conv(net, f"{at}.1", conv(net, f"{at}.0", x, wide, 3), wide, 3)
        box = plain(net, f"{at}.2", box, 4 * reg_max)
        at = f"{prefix}cv3.{level}"
        if light:
            kind = dwconv(net, f"{at}.0.0", x, net.channels(x), 3)
            kind = conv(net, f"{at}.0.1", kind, classes)
            kind = dwconv(net, f"{at}.1.0", kind, classes, 3)
            kind = conv(net, f"{at}.1.1", kind, classes)
        else:
            kind = conv(net, f"{at}.1", conv(net, f"{at}.0", x, classes, 3), classes, 3)
        kind = plain(net, f"{at}.2", kind, nc)
        third = [more(level, x)] if more else []
        net.add(f"{path}.level{level}", "concat", box, kind, *third)
    net.made.notes.append(
        "boxes are decoded from the outputs, which is not counted"
        + (f" ({reg_max} numbers of DFL do not learn)" if reg_max > 1 else "")
    )


def detect(net: Blocks, path: str, xs: Sequence[str], nc: int, *rest: Any) -> None:
    """Add the head of YOLOv8 and later, or that of YOLOv5 and v7 if it has anchors."""
    if rest:
        _anchored(net, path, xs, nc, rest[0])
        return
    _late(net, path, xs, nc)


def _late(net: Blocks, path: str, xs: Sequence[str], nc: int,
          more: Branch | None = None) -> None:  # fmt: skip
    light = {"C3k2", "A2C2f", "C2fCIB", "v10Detect"} & {row.module for row in net.found.rows}
    single = bool(net.found.options["end2end"]) or "v10Detect" in light
    reg_max = net.found.options["reg_max"] or 16
    _boxes(net, path, xs, nc, reg_max, bool(light), more, single)
    if single:
        net.made.notes.append("the one-to-many head, which only training uses, is left out")


def _anchored(
    net: Blocks, path: str, xs: Sequence[str], nc: int, anchors: Any, masks: int = 0
) -> None:
    """Add a convolution for each level, with the outputs of each anchor."""
    number = anchors if isinstance(anchors, int) else len(anchors[0]) // 2
    for level, x in enumerate(xs):
        plain(net, f"{path}.m.{level}", x, number * (nc + 5 + masks))
    net.made.notes.append("boxes are decoded from the outputs, which is not counted")


def implicit(net: Blocks, path: str, xs: Sequence[str], nc: int, anchors: Any) -> None:
    """Add the head of YOLOv7, with learned shifts and factors; auxiliary levels only train."""
    number = anchors if isinstance(anchors, int) else len(anchors[0]) // 2
    levels = len(anchors) if isinstance(anchors, list) else len(xs)
    for level, x in enumerate(xs[:levels]):
        shape = net.shape(x)
        shifted = net.made.opaque(
            f"{path}.ia.{level}", net.line, "yolov7.ImplicitA", (x,), learned=shape[0],
            products=0, work=prod(shape), pointwise=True,
        )  # fmt: skip
        node = plain(net, f"{path}.m.{level}", shifted, number * (nc + 5))
        net.add(f"{path}.im.{level}", "scale", node)
    net.made.notes.append("boxes are decoded from the outputs, which is not counted")
    if len(xs) > levels:
        net.made.notes.append("the auxiliary head, which only training uses, is left out")


def segment(net: Blocks, path: str, xs: Sequence[str], nc: int, *rest: Any) -> None:
    """Add a head of boxes, of the weights of masks, and the masks themselves."""
    early = isinstance(rest[0], list) if rest else False
    masks, wide = (*rest[1:], 32, 256)[:2] if early else (*rest, 32, 256)[:2]
    if early or rest:
        wide = scaled(net, wide)
    at = f"{path}.proto"
    node = conv(net, f"{at}.cv1", xs[0], wide, 3)
    if early:
        node = net.add(f"{at}.upsample", "upsample", node, scale=2)
        _anchored(net, path, xs, nc, rest[0], masks)
    else:
        node = net.add(f"{at}.upsample", "conv_transpose", node, out=wide)
        _late(net, path, xs, nc, _branch(net, path, xs, masks))
    conv(net, f"{at}.cv3", conv(net, f"{at}.cv2", node, wide, 3), masks)


def _branch(net: Blocks, path: str, xs: Sequence[str], out: int) -> Branch:
    wide = max(net.channels(xs[0]) // 4, out)

    def add(level: int, x: str) -> str:
        at = f"{path}.cv4.{level}"
        node = conv(net, f"{at}.1", conv(net, f"{at}.0", x, wide, 3), wide, 3)
        return plain(net, f"{at}.2", node, out)

    return add


def pose(net: Blocks, path: str, xs: Sequence[str], nc: int, points: Sequence[int]) -> None:
    """Add a head of boxes and key points."""
    _late(net, path, xs, nc, _branch(net, path, xs, prod(points)))


def obb(net: Blocks, path: str, xs: Sequence[str], nc: int, angles: int = 1) -> None:
    """Add a head of boxes with an angle."""
    _late(net, path, xs, nc, _branch(net, path, xs, angles))


def classify(net: Blocks, path: str, x: str, c2: int, k: int = 1, s: int = 1,
             p: int | None = None, g: int = 1) -> str:  # fmt: skip
    """Add a convolution, the mean over positions, and a linear layer."""
    node = conv(net, f"{path}.conv", x, 1280, k, s, p, g)
    node = net.add(f"{path}.pool", "global_avgpool", node)
    node = net.add(f"{path}.flatten", "flatten", node)
    return net.add(f"{path}.linear", "linear", node, out=c2)


def scaled(net: Blocks, channels: float) -> int:
    """Return channels times the width of the scale, as a multiple of 8."""
    wide = min(channels, net.found.most) * net.found.width
    return int(-(-wide // 8) * 8)


HEADS: dict[str, Callable[..., None]] = {
    "Detect": detect, "v10Detect": detect, "IDetect": implicit, "IAuxDetect": implicit,
    "Segment": segment, "Pose": pose, "OBB": obb,
}  # fmt: skip
"""Heads, which read several levels and only produce outputs."""
