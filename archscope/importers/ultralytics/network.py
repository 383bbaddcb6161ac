"""Convert a YOLO model file to a graph."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from msgspec import structs

from archscope.errors import ArchscopeError, did_you_mean, quoted
from archscope.importers.file_graph import named, sizes_of
from archscope.importers.formats import Imported, Inputs
from archscope.importers.names import name_part
from archscope.importers.ultralytics.blocks import Blocks, plain, pooled
from archscope.importers.ultralytics.heads import HEADS, classify, scaled
from archscope.importers.ultralytics.model_file import Row, read
from archscope.importers.ultralytics.modules import REPEATED, SCALED

UNSEEN = ("RTDETRDecoder", "WorldDetect", "YOLOEDetect", "YOLOESegment", "ImagePoolingAttn")
"""Heads that are reported as not counted, and make totals a lower bound."""


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Return the network of a model file, without weights.

    The scale is the letter in the name of the file: `yolov8n.yaml` may be a file of that name, or
    stand for scale `n` of `yolov8.yaml`. Images are of 640x640, or of 224x224 for classification,
    unless `input` says otherwise. Raises ArchscopeError.
    """
    found = read(path)
    try:
        net = Blocks(found)
        net.made.notes += found.notes
        side = 224 if any(row.module == "Classify" for row in found.rows) else 640
        shape = sizes_of({"images": (found.channels, side, side)}, input)["images"]
        values = [net.made.input("images", shape, 1)]
        for index, row in enumerate(found.rows):
            net.line = row.at.line
            values.append(_add(net, row, f"model.{index}", values))
        graph = net.made.graph()
        return Imported(structs.replace(graph, name=name_part(Path(path).stem, "network")), dict)
    except ArchscopeError as error:
        raise named(found.path, error) from None


def _add(net: Blocks, row: Row, path: str, values: Sequence[str]) -> str:
    """Add a module and return its node; for a head, the node before it."""
    xs = [_value(net, source, values) for source in row.sources]
    if not all(xs):
        raise net.made.error(f"{row.module} reads a head, which has no feature map", net.line)
    repeats = max(round(row.repeats * net.found.depth), 1) if row.repeats > 1 else 1
    if row.module in HEADS:
        _called(net, row, HEADS[row.module], path, xs, row.args)
        return ""
    if row.module in UNSEEN:
        net.made.opaque(f"{path}.head", net.line, f"ultralytics.{row.module}", xs, size=(1,))
        net.made.notes.append(f"not counted: {row.module}")
        return ""
    if row.several:
        if row.module not in JOINS:
            raise net.made.error(_unknown(row.module), net.line)
        return str(_called(net, row, JOINS[row.module], path, xs, row.args))
    args = list(row.args)
    function = SCALED.get(row.module) or REPEATED.get(row.module) or OTHERS.get(row.module)
    if function is None:
        raise net.made.error(_unknown(row.module), net.line)
    if row.module not in OTHERS and args:
        args[0] = _channels(net, row, args[0])
    if row.module in REPEATED:
        args.insert(1, min(repeats, 1000))
        repeats = 1
    node = xs[0]
    for place in range(min(repeats, 1000)):
        at = path if repeats == 1 else f"{path}.{place}"
        node = str(_called(net, row, function, at, node, args))
    return node


def _unknown(module: str) -> str:
    hint = did_you_mean(module, {*SCALED, *REPEATED, *OTHERS, *JOINS, *HEADS})
    return f"unknown module '{module}'{hint}"


def _channels(net: Blocks, row: Row, given: Any) -> int:
    """Return the channels of a module, multiplied by the width unless they are outputs."""
    if type(given) is not int or not 0 < given < 2**31:
        raise net.made.error(
            f"the channels of {row.module} must be a whole number of at least 1", net.line
        )
    found = net.found
    if not found.early:
        return given if given == found.classes else scaled(net, given)
    anchors = found.anchors
    number = len(anchors[0]) // 2 if isinstance(anchors, list) and anchors and isinstance(
        anchors[0], list) else anchors if isinstance(anchors, int) else 0  # fmt: skip
    return given if given == number * (found.classes + 5) else scaled(net, given)


def _value(net: Blocks, source: int, values: Sequence[str]) -> str:
    """Return the node that a row names: by its number, or from the end."""
    at = source + 1 if source >= 0 else len(values) + source
    if not 0 <= at < len(values) or (source >= 0 and at == 0):
        raise net.made.error(
            f"reads layer {source}, which is not one of the {len(values) - 1} before it", net.line
        )
    return values[at]


def _called(net: Blocks, row: Row, function: Callable[..., Any], path: str, x: Any,
            args: Sequence[Any]) -> Any:  # fmt: skip
    """Call the function of a module with the arguments of its row. Raises SpecError."""
    try:
        return function(net, path, x, *args)
    except (TypeError, ValueError, ArithmeticError, LookupError, AttributeError):
        raise net.made.error(
            f"{row.module} does not take the arguments {quoted(row.args)}", net.line
        ) from None


def _upsample(net: Blocks, path: str, x: str, size: Any = None, scale: Any = None,
              mode: str = "nearest", align: bool = False) -> str:  # fmt: skip
    words = {"nearest": "nearest", "bilinear": "linear"}
    if mode not in words or align:
        raise net.made.error(f"upsampling by {mode[:40]} is not supported", net.line)
    return net.add(path, "upsample", x, size=size, scale=scale, mode=words[mode])


def _maxpool(net: Blocks, path: str, x: str, k: int, s: int | None = None, p: int = 0) -> str:
    return net.add(path, "maxpool", x, kernel=k, stride=s, padding=p)


def _zero_pad(net: Blocks, path: str, x: str, pad: Sequence[int]) -> str:
    left, right, top, bottom = pad
    channels, height, width = net.shape(x)
    size = (channels, height + top + bottom, width + left + right)
    return net.made.opaque(path, net.line, "nn.ZeroPad2d", (x,), size=size, products=0, work=0)


def _module_conv(net: Blocks, path: str, x: str, c2: int, k: int = 1, s: int = 1,
                 p: int = 0) -> str:  # fmt: skip
    return plain(net, path, x, scaled(net, c2), k, s, p)


def _transposed(net: Blocks, path: str, x: str, c2: int, k: int = 2, s: int = 2, p: int = 0,
                more: int = 0) -> str:  # fmt: skip
    given = {"kernel": k, "stride": s, "padding": p, "output_padding": more}
    return net.add(path, "conv_transpose", x, out=scaled(net, c2), **given)


def _classify(net: Blocks, path: str, x: str, c2: int, *rest: Any) -> str:
    return classify(net, path, x, c2 if c2 == net.found.classes else scaled(net, c2), *rest)


def _contract(net: Blocks, path: str, x: str) -> str:
    return net.add(path, "space_to_depth", x)


def _mp(net: Blocks, path: str, x: str, k: int = 2) -> str:
    return net.add(path, "maxpool", x, kernel=k)


def _sp(net: Blocks, path: str, x: str, k: int = 3, s: int = 1) -> str:
    return pooled(net, path, x, k, s)


def _batchnorm(net: Blocks, path: str, x: str, *rest: Any) -> str:
    return net.add(path, "batchnorm", x, eps=0.001, momentum=0.03)


def _identity(net: Blocks, path: str, x: str, *rest: Any) -> str:
    return x


OTHERS: dict[str, Callable[..., str]] = {
    "nn.Upsample": _upsample, "nn.MaxPool2d": _maxpool, "nn.ZeroPad2d": _zero_pad,
    "nn.Conv2d": _module_conv, "nn.ConvTranspose2d": _transposed, "nn.BatchNorm2d": _batchnorm,
    "nn.Identity": _identity, "Silence": _identity, "Classify": _classify, "MP": _mp, "SP": _sp,
    "ReOrg": _contract,
}  # fmt: skip
"""Modules with one input that infer their channels from it, or scale them themselves."""


def _concat(net: Blocks, path: str, xs: Sequence[str], axis: int = 1) -> str:
    if axis != 1:
        raise net.made.error(f"Concat is along axis 1, got {axis}", net.line)
    return net.add(path, "concat", *xs) if len(xs) > 1 else xs[0]


def _sum(net: Blocks, path: str, xs: Sequence[str], axis: int = 0) -> str:
    return net.add(path, "add", *xs[:2])


JOINS: dict[str, Callable[..., str]] = {"Concat": _concat, "Shortcut": _sum}
"""Modules with several inputs."""
