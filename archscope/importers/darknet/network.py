"""Convert a darknet configuration to a graph, with weights from its `.weights` file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from archscope.errors import ArchscopeError, did_you_mean
from archscope.importers.darknet import joins, pointwise, windows
from archscope.importers.darknet.conversion import Conversion
from archscope.importers.darknet.sections import Section, sections_of
from archscope.importers.darknet.weights import WeightsFile
from archscope.importers.file_graph import FileGraph, named, read_text, sizes_of
from archscope.importers.formats import Imported, Inputs
from archscope.ir import Shape

UNSUPPORTED = {
    "convolutional": ("antialiasing", "share_index", "assisted_excitation", "deform", "binary",
                      "xnor", "flipped"),
    "shortcut": ("weights_type",),
    "maxpool": ("maxpool_depth", "antialiasing"),
}  # fmt: skip
"""Options that are not supported unless they are 0."""

HEADS = ("yolo", "Gaussian_yolo", "region", "detection", "iseg", "cost", "contrastive")
"""Layers that decode boxes or compute a loss: their inputs are the outputs of the network."""

OTHER_NAMES = {
    "conv": "convolutional", "deconv": "deconvolutional", "conn": "connected", "max": "maxpool",
    "avg": "avgpool", "soft": "softmax", "lrn": "normalization", "net": "network",
    "reorg3d": "reorg", "silence": "empty",
}  # fmt: skip


LAYERS: dict[str, Callable[[Conversion, Section, str], str]] = {
    "convolutional": windows.convolutional, "deconvolutional": windows.deconvolutional,
    "connected": windows.connected, "local": windows.local, "maxpool": windows.maxpool,
    "avgpool": windows.avgpool, "upsample": windows.upsample, "crop": windows.crop,
    "softmax": pointwise.softmax, "dropout": pointwise.dropout,
    "normalization": pointwise.normalization, "batchnorm": pointwise.batchnorm,
    "activation": pointwise.activation, "logistic": pointwise.logistic,
    "empty": pointwise.identity, "rnn": pointwise.recurrent(1, 2),
    "gru": pointwise.recurrent(3, 3), "lstm": pointwise.recurrent(4, 4),
    "route": joins.route, "shortcut": joins.shortcut, "scale_channels": joins.gate,
    "sam": joins.gate, "reorg": joins.reorg,
}  # fmt: skip


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Return the network of a darknet configuration.

    Its weights come from the file of the same name with the suffix `.weights`. Raises
    ArchscopeError.
    """
    path = Path(path)
    sections = sections_of(read_text(path), path)
    try:
        return _imported(path, sections, input)
    except ArchscopeError as error:
        raise named(path, error) from None


def _imported(path: Path, sections: list[Section], input: Inputs) -> Imported:
    """Return the graph of all layers, and their weights."""
    net, *layers = sections
    shape = sizes_of({"input": _input_shape(net, layers[:1])}, input)["input"]
    conversion = Conversion(path, shape, net.line)
    heads: dict[str, list[str]] = {}
    for index, section in enumerate(layers):
        kind = OTHER_NAMES.get(section.kind, section.kind)
        _check_supported(conversion.made, section, kind)
        if kind in HEADS:
            heads.setdefault(kind, []).append(str(section.line))
        elif kind in LAYERS:
            conversion.now = LAYERS[kind](conversion, section, f"layer{index}")
        else:
            hint = did_you_mean(section.kind, {*LAYERS, *HEADS, *OTHER_NAMES})
            raise conversion.made.error(
                f"unknown layer of darknet [{section.kind}]{hint}", section.line
            )
        conversion.ends.append(conversion.now)
    for kind, lines in heads.items():
        conversion.made.notes.append(f"[{kind}] is not counted: line {', '.join(lines)}")
    weights = WeightsFile(path.with_suffix(".weights"), tuple(conversion.weights))
    return Imported(conversion.made.graph(), weights.read)


def _input_shape(net: Section, first: list[Section]) -> Shape:
    """Return the input of the network, after a crop of the image if that is the first layer."""
    image = tuple(net.integer(name, 0) for name in ("channels", "height", "width"))
    if image[0] and first and first[0].kind == "crop":
        return image[0], *(first[0].integer(name, 1) for name in ("crop_height", "crop_width"))
    if all(image):
        return image
    inputs = net.integer("inputs", 0)
    return (inputs,) if inputs else ()


def _check_supported(made: FileGraph, section: Section, kind: str) -> None:
    for name in UNSUPPORTED.get(kind, ()):
        text, line = section.options.get(name, ("0", 0))
        if text not in ("0", "none"):
            raise made.error(f"'{name}' of [{section.kind}] is not supported", line)
