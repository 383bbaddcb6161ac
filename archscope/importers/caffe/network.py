"""Convert a Caffe definition to a graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from archscope.errors import ArchscopeError
from archscope.importers.caffe import pointwise, shapes, windows
from archscope.importers.caffe.conversion import ASIDE, Conversion
from archscope.importers.caffe.definition import (
    DATA,
    INPUTS,
    CaffeLayer,
    Definition,
    Value,
    definition,
)
from archscope.importers.caffe.text_format import Message
from archscope.importers.file_graph import named, read_text, sizes_of
from archscope.importers.formats import Imported, Inputs
from archscope.ir import Shape

LAYERS: dict[str, Callable[[Conversion, CaffeLayer], list[str]]] = {
    **dict.fromkeys(pointwise.PLAIN, pointwise.plain),
    **dict.fromkeys(pointwise.COSTS, pointwise.costed),
    **dict.fromkeys(("convolution", "deconvolution", "convolutiondepthwise",
                     "depthwiseconvolution", "deconvolutiondepthwise"), windows.convolution),
    "pooling": windows.pooling, "relu": pointwise.relu, "prelu": pointwise.prelu,
    "elu": pointwise.elu, "swish": pointwise.swish, "mish": pointwise.mish,
    "power": pointwise.power, "dropout": pointwise.dropout, "lrn": pointwise.lrn,
    "batchnorm": pointwise.batchnorm, "bn": pointwise.batchnorm, "scale": pointwise.scale,
    "bias": pointwise.bias, "eltwise": pointwise.eltwise, "axpy": pointwise.axpy,
    "normalize": pointwise.normalize, "innerproduct": shapes.inner_product,
    "softmax": shapes.softmax, "flatten": shapes.flatten, "reshape": shapes.reshape,
    "concat": shapes.concat, "slice": shapes.slice_, "permute": shapes.permute,
    "shufflechannel": shapes.shuffle, "channelshuffle": shapes.shuffle,
    "upsample": shapes.upsample, "interp": shapes.interp, "crop": shapes.crop,
    "reduction": shapes.reduction, "roipooling": shapes.roi_pooling,
}  # fmt: skip

HEADS = ("accuracy", "detectionoutput", "detectionevaluate", "argmax", "hdf5output", "silence")
"""Layers after the result: metrics, and the selection of boxes and classes."""

FROM_SIZES = ("priorbox", "anchorgenerator")
"""Layers whose result depends only on the sizes of their inputs."""


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Return the network of a definition at inference, without weights.

    `input` is the input shape without the batch, or the shapes of several inputs by name; it is
    required if the definition leaves them to the data, and otherwise replaces them. Raises
    ArchscopeError.
    """
    path = Path(path)
    found = definition(read_text(path), path)
    try:
        return Imported(_graph_of(found, input).made.graph(), dict)
    except ArchscopeError as error:
        raise named(path, error) from None


def _graph_of(found: Definition, input: Inputs) -> Conversion:
    net = Conversion(found)
    _add_inputs(net, input)
    dropped: dict[str, list[str]] = {}
    for index, layer in enumerate(found.layers):
        if layer.kind in DATA and not layer.bottoms:
            continue
        results = _results(net, layer, dropped)
        for place in range(len(layer.tops)):
            some = results is not None and place < len(results)
            net.values[index, place] = results[place] if some and results else ASIDE
        if results is None:
            net.values.update({(index, place): None for place in range(len(layer.tops))})
    for why, names in dropped.items():
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        net.made.notes.append(f"not counted{why}: {', '.join(names[:3])}{more}")
    if found.phase != "TEST":
        net.made.notes.append("read for training: the definition has no data for phase TEST")
    return net


def _results(net: Conversion, layer: CaffeLayer, dropped: dict[str, list[str]]) -> list[str] | None:
    """Add a layer and return its nodes: none if it is left out, None if it is unknown."""
    title = f"{layer.name[:60]} ({layer.type[:60]})"
    values = [net.values.get(value) for value in layer.sources]
    if layer.kind in HEADS or layer.kind.endswith("loss"):
        if layer.kind != "silence":
            dropped.setdefault("", []).append(title)
        return []
    if None in values:
        dropped.setdefault(" after unknown layers", []).append(title)
        return None
    if layer.kind in FROM_SIZES or (values and not any(values)):
        return []
    if layer.kind not in LAYERS or not all(values):
        sources = [value for value in values if value]
        if not sources:
            raise net.made.error(f"unknown layer of Caffe '{layer.type}'", layer.line)
        net.made.opaque(layer.name, layer.line, f"caffe.{layer.type}", sources, size=(1,))
        return None
    return LAYERS[layer.kind](net, layer)


def _add_inputs(net: Conversion, input: Inputs) -> None:
    """Add the inputs that layers of the network read, with their known sizes."""
    found = net.found
    used = {
        value
        for layer in found.layers
        if layer.kind not in HEADS and not layer.kind.endswith("loss")
        for value in layer.sources
    }
    stated: dict[str, tuple[Value, int, Shape]] = {}
    for place, (name, shape) in enumerate(found.inputs):
        if (INPUTS, place) in used:
            stated[name] = ((INPUTS, place), 1, shape)
    for index, layer in enumerate(found.layers):
        if layer.kind not in DATA or layer.bottoms:
            continue
        for place, name in enumerate(layer.tops):
            net.values[index, place] = ASIDE
            if (index, place) in used and (place == 0 or layer.kind in ("input", "dummydata")):
                stated[name] = ((index, place), layer.line, _data_shape(net, layer, place))
    if not stated:
        raise net.made.error("the network has no input", 1)
    known = {name: shape[1:] or shape[:1] for name, (_, _, shape) in stated.items()}
    sizes = sizes_of(known, input)
    net.batch = next((shape[0] for _, _, shape in stated.values() if shape), 1)
    for name, (value, line, _) in stated.items():
        net.values[value] = net.made.input(name, sizes[name], line)


def _data_shape(net: Conversion, layer: CaffeLayer, place: int) -> Shape:
    """Return the shape that a data layer states, with the batch, () if it states none."""
    message = layer.message
    if layer.kind in ("input", "dummydata"):
        given = layer.param("input" if layer.kind == "input" else "dummy_data")
        found = [tuple(shape.integers("dim")) for shape in given.messages("shape")]
        if not found and "num" in given:
            sides = [given.integers(name) for name in ("num", "channels", "height", "width")]
            found = [tuple(sizes) for sizes in zip(*sides, strict=False)]
        shape = found[min(place, len(found) - 1)] if found else ()
    elif layer.kind == "memorydata":
        given = layer.param("memory_data")
        names = ("batch_size", "channels", "height", "width")
        shape = tuple(given.integer(name, 0) for name in names)
    else:
        shape = _image_shape(
            net,
            layer,
            [
                message.message(name)
                for name in (
                    "transform_param",
                    "data_param",
                    "image_data_param",
                    "window_data_param",
                )
            ],
        )
    if not all(0 < size < 2**31 for size in shape):
        raise net.made.error(f"'{layer.name}' needs sizes of at least 1", layer.line)
    return shape


def _image_shape(net: Conversion, layer: CaffeLayer, params: list[Message]) -> Shape:
    """Return the shape of images that are cropped or resized to a size."""
    side = next((param.integer("crop_size", 0) for param in params if "crop_size" in param), 0)
    height, width = (
        side or next((p.integer(name, 0) for p in params if name in p), 0)
        for name in ("new_height", "new_width")
    )
    if not (height and width):
        return ()
    net.made.notes.append(f"'{layer.name}' is assumed to have images with 3 channels")
    return 1, 3, height, width
