"""Convert a Caffe definition to a graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from archscope.errors import ArchscopeError
from archscope.importers.caffe import norms, pointwise, shapes, windows
from archscope.importers.caffe.conversion import ASIDE, Conversion
from archscope.importers.caffe.data import data_shape
from archscope.importers.caffe.definition import INPUTS, CaffeLayer, Definition, Value, definition
from archscope.importers.caffe.model_file import ModelFile, foreign_field
from archscope.importers.caffe.regions import region
from archscope.importers.caffe.text_format import parse
from archscope.importers.caffe.uses import FIRST_ALONE, FROM_SIZES, REGION_POOLS, Uses, is_head
from archscope.importers.caffe.weights import SUFFIX
from archscope.importers.file_graph import named, read_text, sizes_of
from archscope.importers.formats import Imported, Inputs
from archscope.importers.names import first_few
from archscope.ir import Shape

LAYERS: dict[str, Callable[[Conversion, CaffeLayer], list[str]]] = {
    **dict.fromkeys(pointwise.PLAIN, pointwise.plain),
    **dict.fromkeys(pointwise.UNARY, pointwise.unary),
    **dict.fromkeys(("convolution", "deconvolution", "convolutiondepthwise",
                     "depthwiseconvolution", "deconvolutiondepthwise"), windows.convolution),
    "pooling": windows.pooling, "relu": pointwise.relu, "prelu": pointwise.prelu,
    "elu": pointwise.elu, "swish": pointwise.swish, "clip": pointwise.clip,
    "threshold": pointwise.threshold, "power": pointwise.power, "exp": pointwise.exp,
    "log": pointwise.logarithm, "dropout": pointwise.dropout, "eltwise": pointwise.eltwise,
    "axpy": pointwise.axpy, "lrn": norms.lrn, "batchnorm": norms.batchnorm,
    "bn": norms.batchnorm, "scale": norms.scale, "bias": norms.bias,
    "normalize": norms.normalize, "mvn": norms.mean_variance,
    "innerproduct": shapes.inner_product, "margininnerproduct": shapes.margin_product,
    "softmax": shapes.softmax, "flatten": shapes.flatten, "reshape": shapes.reshape,
    "concat": shapes.concat, "slice": shapes.slice_, "permute": shapes.permute,
    "shufflechannel": shapes.shuffle, "channelshuffle": shapes.shuffle,
    "upsample": shapes.upsample, "interp": shapes.interp, "crop": shapes.crop,
    "reorg": shapes.reorg, "reduction": shapes.reduction, "tile": shapes.tile,
    "parameter": shapes.parameter,
    **dict.fromkeys(REGION_POOLS, region),
}  # fmt: skip


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Return the network of a definition at inference.

    Its weights come from the `.caffemodel` of the same name, or from the only one in its folder.
    The network of a `.caffemodel` is that of the definition of the same name, or that of its own
    layers without one. `input` is the input shape without the batch, or the shapes of several
    inputs by name; it is required if the definition leaves them to the data, and otherwise replaces
    them. Raises ArchscopeError.
    """
    path = Path(path)
    if path.suffix == SUFFIX and path.with_suffix(".prototxt").is_file():
        path = path.with_suffix(".prototxt")
    message = ModelFile(path).net if path.suffix == SUFFIX else parse(read_text(path), path)
    found = definition(message, path, LAYERS)
    try:
        net = _graph_of(found, input)
        return Imported(net.graph(), net.weights_of(path).read)
    except ArchscopeError as error:
        raise named(path, error) from None


def _graph_of(found: Definition, input: Inputs) -> Conversion:
    net, uses = Conversion(found), Uses(found, LAYERS)
    _add_inputs(net, uses, input)
    dropped: dict[str, list[str]] = {}
    for index, layer in enumerate(found.layers):
        if layer.gives_data:
            continue
        results = _results(net, layer, uses.selects[index], dropped)
        for place in range(len(layer.tops)):
            some = results is not None and place < len(results)
            net.values[index, place] = results[place] if some and results else ASIDE
        if results is None:
            net.values.update({(index, place): None for place in range(len(layer.tops))})
    for why, names in dropped.items():
        net.made.notes.append(f"not counted{why}: {first_few(names)}")
    if found.phase != "TEST" and found.path.suffix != SUFFIX:
        net.made.notes.append("read for training: the definition is not complete for phase TEST")
    return net


def _results(
    net: Conversion, layer: CaffeLayer, selects: bool, dropped: dict[str, list[str]]
) -> list[str] | None:
    """Add a layer and return its nodes: none if it is left out, None if it is unknown."""
    title = f"{layer.name[:60]} ({layer.type[:60]})"
    values = [net.values.get(value) for value in layer.sources]
    if selects or is_head(layer):
        if layer.kind != "silence":
            dropped.setdefault("", []).append(title)
        return []
    if None in values:
        dropped.setdefault(" after unknown layers", []).append(title)
        return None
    if layer.kind in FROM_SIZES or (values and not any(values)):
        return []
    if layer.kind not in LAYERS or not all(values[:1] if layer.kind in FIRST_ALONE else values):
        sources = [value for value in values if value]
        if not sources:
            raise net.made.error(f"unknown layer of Caffe '{layer.type}'", layer.line)
        net.made.opaque(layer.name, layer.line, f"caffe.{layer.type}", sources, size=(1,))
        return None
    if strange := foreign_field(layer.message):
        raise net.made.error(
            f"{title} has settings of a fork of Caffe ({strange}); give the definition, a .prototxt"
            " of the same name",
            layer.line,
        )
    return LAYERS[layer.kind](net, layer)


def _add_inputs(net: Conversion, uses: Uses, input: Inputs) -> None:
    """Add the inputs that layers of the network read, with their known sizes."""
    found = net.found
    stated: dict[str, tuple[Value, int, Shape]] = {}
    for place, (name, shape) in enumerate(found.inputs):
        value = (INPUTS, place)
        net.values[value] = ASIDE
        if uses.feeds(value):
            stated[name] = (value, 1, shape)
    for index, layer in enumerate(found.layers):
        if not layer.gives_data:
            continue
        for place, name in enumerate(layer.tops):
            net.values[index, place] = ASIDE
            if uses.feeds((index, place)):
                stated[name] = ((index, place), layer.line, data_shape(net, layer, place))
    if not stated:
        raise net.made.error("the network has no input", 1)
    known = {name: shape[1:] or shape[:1] for name, (_, _, shape) in stated.items()}
    sizes = sizes_of(known, input)
    net.batch = next((shape[0] for _, _, shape in stated.values() if shape), 1)
    for name, (value, line, _) in stated.items():
        net.values[value] = net.made.input(name, sizes[name], line)
