"""Convert a darknet configuration to a graph, with weights from its `.weights` file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from archscope.errors import ArchscopeError, did_you_mean
from archscope.importers.darknet import joins, pointwise, recurrent, reorg, windows
from archscope.importers.darknet.conversion import Conversion
from archscope.importers.darknet.sections import Section, sections_of
from archscope.importers.darknet.weights import WeightsFile
from archscope.importers.file_graph import named, read_text, sizes_of
from archscope.importers.formats import Imported, Inputs
from archscope.ir import Shape

HEADS = ("yolo", "Gaussian_yolo", "region", "detection", "iseg", "cost", "contrastive")
"""Layers that decode boxes or compute a loss: their inputs are the outputs of the network."""

OTHER_NAMES = {
    "conv": "convolutional", "deconv": "deconvolutional", "conn": "connected", "max": "maxpool",
    "avg": "avgpool", "local_avg": "local_avgpool", "soft": "softmax", "lrn": "normalization",
    "net": "network", "silence": "empty", "implicit_add": "implicit", "implicit_mul": "implicit",
    "control_channels": "scale_channels",
}  # fmt: skip


LAYERS: dict[str, Callable[[Conversion, Section, str], str]] = {
    "convolutional": windows.convolutional, "deconvolutional": windows.deconvolutional,
    "connected": windows.connected, "local": windows.local, "maxpool": windows.maxpool,
    "avgpool": windows.avgpool, "local_avgpool": windows.local_avgpool,
    "upsample": windows.upsample, "crop": windows.crop,
    "softmax": pointwise.softmax, "dropout": pointwise.dropout,
    "normalization": pointwise.normalization, "batchnorm": pointwise.batchnorm,
    "activation": pointwise.activation, "logistic": pointwise.logistic,
    "empty": pointwise.identity, "rnn": recurrent.elman, "crnn": recurrent.elman,
    "gru": recurrent.gru, "lstm": recurrent.lstm, "conv_lstm": recurrent.conv_lstm,
    "history": recurrent.history,
    "route": joins.route, "shortcut": joins.shortcut, "scale_channels": joins.gate,
    "sam": joins.gate, "shift_channels": joins.shift, "implicit": joins.implicit,
    "reorg": reorg.reorg, "reorg3d": reorg.reorg3d,
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
        if kind in HEADS:
            heads.setdefault(f"[{kind}]", []).append(str(section.line))
        elif kind == "softmax" and "tree" in section:  # whose groups are in another file
            heads.setdefault("[softmax] over a tree", []).append(str(section.line))
        elif kind in LAYERS:
            conversion.now = LAYERS[kind](conversion, section, f"layer{index}")
            conversion.made.notes += section.misspelt()
        else:
            hint = did_you_mean(section.kind, {*LAYERS, *HEADS, *OTHER_NAMES})
            raise conversion.made.error(
                f"unknown layer of darknet [{section.kind}]{hint}", section.line
            )
        conversion.ends.append(conversion.now)
    for kind, lines in heads.items():
        conversion.made.notes.append(f"{kind} is not counted: line {', '.join(lines)}")
    if conversion.states:
        conversion.made.notes.append("one step in time: states are inputs and outputs")
    weights = WeightsFile(path.with_suffix(".weights"), tuple(conversion.weights))
    return Imported(conversion.made.graph(conversion.states), weights.read)


def _input_shape(net: Section, first: list[Section]) -> Shape:
    """Return the input of the network, after a crop of the image if that is the first layer."""
    image = tuple(net.integer(name, 0) for name in ("channels", "height", "width"))
    if image[0] and first and first[0].kind == "crop":
        return image[0], *(first[0].integer(name, 1) for name in ("crop_height", "crop_width"))
    if all(image):
        return image
    inputs = net.integer("inputs", 0)
    return (inputs,) if inputs else ()
