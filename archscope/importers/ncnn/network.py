"""Convert an ncnn parameter file to a graph."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from archscope.errors import ArchscopeError
from archscope.importers.file_graph import named, read_text, sizes_of
from archscope.importers.formats import Imported, Inputs
from archscope.importers.names import first_few
from archscope.importers.ncnn import (
    attention,
    maps,
    merges,
    norms,
    pointwise,
    products,
    reductions,
    sequences,
    shapes,
    windows,
)
from archscope.importers.ncnn.conversion import ASIDE, SAME, Constant, Conversion, Value
from archscope.importers.ncnn.param_file import ParamLayer, layers_of
from archscope.ir import Shape

LAYERS: dict[str, Callable[[Conversion, ParamLayer], list[Value]]] = {
    **dict.fromkeys(pointwise.PLAIN, pointwise.plain),
    **dict.fromkeys(pointwise.UNARY, pointwise.unary),
    **dict.fromkeys(SAME, pointwise.same),
    **dict.fromkeys(reductions.ALONG, reductions.along),
    **{f"Convolution{more}{rank}": windows.convolution
       for more in ("", "DepthWise") for rank in ("", "1D", "3D")},
    **{f"Deconvolution{more}{rank}": windows.deconvolution
       for more in ("", "DepthWise") for rank in ("", "1D", "3D")},
    **{f"Pooling{rank}": windows.pooling for rank in ("", "1D", "3D")},
    **dict.fromkeys(sequences.BIASES, sequences.recurrent),
    "Dropout": pointwise.dropout, "ReLU": pointwise.relu, "Clip": pointwise.clip,
    "PReLU": pointwise.prelu, "ELU": pointwise.elu, "CELU": pointwise.elu,
    "SELU": pointwise.selu, "GELU": pointwise.gelu, "HardSwish": pointwise.hard,
    "HardSigmoid": pointwise.hard, "UnaryOp": pointwise.unary_op, "Power": pointwise.power,
    "Exp": pointwise.power, "Log": pointwise.power, "Threshold": pointwise.threshold,
    "Shrink": partial(pointwise.costed, 2),
    "LRN": norms.lrn, "BatchNorm": norms.batchnorm, "MVN": norms.mvn,
    "GroupNorm": norms.groupnorm, "InstanceNorm": norms.groupnorm,
    "LayerNorm": norms.rows_norm, "RMSNorm": norms.rows_norm,
    "Normalize": norms.normalize, "Scale": norms.scale, "Bias": norms.bias,
    "BinaryOp": merges.binary, "Eltwise": merges.eltwise,
    "Flatten": shapes.flatten, "Reshape": shapes.reshape, "Permute": shapes.permute,
    "Concat": shapes.concat, "Slice": shapes.slice_, "Crop": shapes.crop, "Tile": shapes.tile,
    "ExpandDims": shapes.axes_changed, "Squeeze": shapes.axes_changed, "Flip": shapes.flip,
    "CopyTo": shapes.copy_to,
    "ShuffleChannel": maps.shuffle, "PixelShuffle": maps.pixel_shuffle, "Reorg": maps.reorg,
    "YoloV5Focus": maps.focus, "Interp": maps.interp, "Padding": maps.padding,
    "Unfold": maps.unfold, "Fold": maps.fold, "GridSample": maps.grid_sample,
    "Reduction": reductions.reduction, "StatisticsPooling": reductions.statistics,
    "InnerProduct": products.inner_product, "Gemm": products.gemm, "MatMul": products.matmul,
    "Einsum": products.einsum, "Embed": products.embed,
    "MultiHeadAttention": attention.multi_head, "SDPA": attention.sdpa,
    "RotaryEmbed": attention.rotary,
}  # fmt: skip

REGIONS = ("ROIPooling", "ROIAlign", "PSROIPooling")
"""Layers that cut regions, their second input, out of a map, their first."""

MOST_AXES = 4

HEADS = ("DetectionOutput", "YoloDetectionOutput", "Yolov3DetectionOutput", "ArgMax", "Proposal")
"""Layers that select boxes and classes: their inputs are results of the network."""


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Return the network of a parameter file, without weights.

    `input` is the input shape without the batch, or the shapes of several inputs by name, if the
    file leaves them open. Raises ArchscopeError.
    """
    path = Path(path)
    layers = layers_of(read_text(path), path)
    try:
        net = _graph_of(path, layers, input)
        return Imported(net.made.graph(_ends(net, layers)), dict)
    except ArchscopeError as error:
        raise named(path, error) from None


def _graph_of(path: Path, layers: list[ParamLayer], input: Inputs) -> Conversion:
    net = Conversion(path, layers)
    _add_inputs(net, [layer for layer in layers if layer.kind == "Input"], input)
    heads: list[str] = []
    after_unknown: list[str] = []
    regions = [f"{layer.name[:60]} ({layer.kind})" for layer in layers if layer.kind in REGIONS]
    for layer in layers:
        if layer.kind == "Input":
            continue
        if layer.kind == "MemoryData" and len(layer.tops) == 1:
            size = _input_size(layer) or (1,)
            net.constants[layer.tops[0]] = Constant(size, layer.name, layer.line)
            continue
        results = _results(net, layer, heads, after_unknown)
        for value in results or ():
            _check_axes(net, layer, value)
        default = None if results is None else ASIDE
        found = [*(results or ()), *([default] * len(layer.tops))]
        net.values.update(zip(layer.tops, found, strict=False))
    for why, names in (("not counted", heads), ("not counted after unknown layers", after_unknown),
                       ("counted for one region, which is an input", regions)):  # fmt: skip
        if names:
            net.made.notes.append(f"{why}: {first_few(names)}")
    return net


def _add_inputs(net: Conversion, layers: list[ParamLayer], given: Inputs) -> None:
    """Add the inputs, of which a layer may have several: all caches of attention.

    Its name stands for all of them, unless their own names are given.
    """
    names = set(given) if isinstance(given, Mapping) else set()
    titles = {
        top: top if len(layer.tops) > 1 and names.intersection(layer.tops) else layer.name
        for layer in layers
        for top in layer.tops
    }
    stated = {titles[top]: _input_size(layer) for layer in layers for top in layer.tops}
    sizes = sizes_of(stated, given)
    for layer in layers:
        for top in layer.tops:
            title = top if len(layer.tops) > 1 else layer.name
            node = net.made.input(title, sizes[titles[top]], layer.line)
            net.start = net.start or node
            net.values[top] = Value(node)
            _check_axes(net, layer, net.values[top])


def _check_axes(net: Conversion, layer: ParamLayer, value: Value | None) -> None:
    if value and value.node and len(net.shape_of(value)) > MOST_AXES:
        raise net.error(layer, f"has {len(net.shape_of(value))} axes, ncnn has {MOST_AXES}")


def _ends(net: Conversion, layers: list[ParamLayer]) -> set[str]:
    """Return the nodes of results: of blobs that no layer reads."""
    read = {blob for layer in layers if layer.kind not in HEADS + REGIONS for blob in layer.bottoms}
    ends = set()
    for blob, value in net.values.items():
        if not value or value == ASIDE:
            continue
        if blob not in read or value.node not in net.made.read:
            ends.add(net.plain(value, blob, 1))
    return ends


def _results(
    net: Conversion, layer: ParamLayer, heads: list[str], after_unknown: list[str]
) -> list[Value] | None:
    """Add a layer and return its values: none if it is left out, None if it is unknown."""
    title = f"{layer.name[:60]} ({layer.kind[:60]})"
    values = [net.values[blob] for blob in layer.bottoms if blob not in net.constants]
    known = [value for value in values if value and value != ASIDE]
    if layer.kind in HEADS:
        heads.append(title)
        return []
    if None in values:
        after_unknown.append(title)
        return None
    if layer.kind in REGIONS and values and values[0] in known:
        return [_region(net, layer)]
    if layer.kind == "PriorBox" or (values and not known):
        return []
    if layer.kind in SAME and layer.bottoms and not values:
        net.constants.update(dict.fromkeys(layer.tops, net.constants[layer.bottoms[0]]))
        return []
    if layer.kind in LAYERS and len(known) == len(values):
        return LAYERS[layer.kind](net, layer)
    if not known:
        raise net.made.error(f"unknown layer of ncnn '{layer.kind[:60]}'", layer.line)
    sources = [net.plain(value, layer.name, layer.line) for value in known]
    stated = layer.shapes()
    size = stated[0] if len(stated) == 1 else (1,)
    node = net.made.opaque(layer.name, layer.line, f"ncnn.{layer.kind}", sources, size=size)
    return [Value(node)] if len(stated) == 1 else None


def _region(net: Conversion, layer: ParamLayer) -> Value:
    """Add an input for one region: how many there are is known only when the network runs."""
    channels, *_ = net.shape(layer)
    default = 0
    if layer.kind == "PSROIPooling":
        channels, default = layer.integer(3, 0), 7
    size = (channels, layer.integer(1, default), layer.integer(0, default))
    return Value(net.made.input(layer.name, size, layer.line))


def _input_size(layer: ParamLayer) -> Shape:
    """Return the shape that a layer states, () if it states none."""
    sides = [layer.integer(number, 0) for number in (2, 11, 1, 0)]
    shape = tuple(side for side in sides if side > 0)
    return shape if sides[-1] > 0 else ()
