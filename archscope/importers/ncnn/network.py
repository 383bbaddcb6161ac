"""Convert an ncnn parameter file to a graph."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from archscope.errors import ArchscopeError
from archscope.importers.file_graph import named, read_text, sizes_of
from archscope.importers.formats import Imported, Inputs
from archscope.importers.ncnn import pointwise, shapes, windows
from archscope.importers.ncnn.conversion import ASIDE, Conversion
from archscope.importers.ncnn.param_file import ParamLayer, layers_of
from archscope.ir import Shape

LAYERS: dict[str, Callable[[Conversion, ParamLayer], list[str]]] = {
    **dict.fromkeys(pointwise.PLAIN, pointwise.plain),
    **dict.fromkeys(pointwise.COSTS, pointwise.costed),
    **dict.fromkeys(pointwise.SAME, pointwise.same),
    "Convolution": windows.convolution, "ConvolutionDepthWise": windows.convolution,
    "Deconvolution": windows.deconvolution, "DeconvolutionDepthWise": windows.deconvolution,
    "InnerProduct": windows.inner_product, "Pooling": windows.pooling,
    "ReLU": pointwise.relu, "Clip": pointwise.clip, "PReLU": pointwise.prelu,
    "ELU": pointwise.elu, "Mish": pointwise.mish, "HardSwish": pointwise.hard,
    "HardSigmoid": pointwise.hard, "LRN": pointwise.lrn, "BatchNorm": pointwise.batchnorm,
    "GroupNorm": pointwise.groupnorm, "InstanceNorm": pointwise.groupnorm,
    "LayerNorm": pointwise.rows_norm, "RMSNorm": pointwise.rows_norm,
    "Normalize": pointwise.normalize, "Scale": pointwise.scale, "Bias": pointwise.bias,
    "BinaryOp": pointwise.binary, "Eltwise": pointwise.eltwise,
    "Softmax": shapes.softmax, "Flatten": shapes.flatten, "Reshape": shapes.reshape,
    "Permute": shapes.permute, "Concat": shapes.concat, "Slice": shapes.slice_,
    "Crop": shapes.crop, "ShuffleChannel": shapes.shuffle, "PixelShuffle": shapes.pixel_shuffle,
    "Reorg": shapes.pixel_shuffle, "Interp": shapes.interp, "Padding": shapes.padding,
    "Reduction": shapes.reduction, "ExpandDims": shapes.axes_changed,
    "Squeeze": shapes.axes_changed, "MultiHeadAttention": shapes.attention, "Gemm": shapes.gemm,
}  # fmt: skip

HEADS = ("DetectionOutput", "YoloDetectionOutput", "Yolov3DetectionOutput", "ArgMax")
"""Layers after the result: the selection of boxes and classes."""


def from_file(path: str | Path, input: Inputs = None) -> Imported:
    """Return the network of a parameter file, without weights.

    `input` is the input shape without the batch, or the shapes of several inputs by name, if the
    file leaves them open. Raises ArchscopeError.
    """
    path = Path(path)
    layers = layers_of(read_text(path), path)
    try:
        return Imported(_graph_of(path, layers, input).made.graph(), dict)
    except ArchscopeError as error:
        raise named(path, error) from None


def _graph_of(path: Path, layers: list[ParamLayer], input: Inputs) -> Conversion:
    net = Conversion(path, layers)
    stated = {layer.name: _input_size(layer) for layer in layers if layer.kind == "Input"}
    sizes = sizes_of(stated, input)
    heads: list[str] = []
    behind: list[str] = []
    for layer in layers:
        if layer.kind == "Input":
            node = net.made.input(layer.name, sizes[layer.name], layer.line)
            net.values.update(dict.fromkeys(layer.tops, node))
        elif layer.kind == "MemoryData" and len(layer.tops) == 1:
            net.constants[layer.tops[0]] = _input_size(layer) or (1,)
            net.uncounted.add(layer.tops[0])
        else:
            results = _results(net, layer, heads, behind)
            default = None if results is None else ASIDE
            found = [*(results or ()), *([default] * len(layer.tops))]
            net.values.update(zip(layer.tops, found, strict=False))
    for why, names in (("", heads), (" after unknown layers", behind)):
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        if names:
            net.made.notes.append(f"not counted{why}: {', '.join(names[:3])}{more}")
    return net


def _results(
    net: Conversion, layer: ParamLayer, heads: list[str], behind: list[str]
) -> list[str] | None:
    """Add a layer and return its nodes: none if it is left out, None if it is unknown."""
    title = f"{layer.name[:60]} ({layer.kind[:60]})"
    values = [net.values[blob] for blob in layer.bottoms if blob not in net.constants]
    if layer.kind in HEADS:
        heads.append(title)
        return []
    if None in values:
        behind.append(title)
        return None
    if layer.kind == "PriorBox" or (values and not any(values)):
        return []
    known = layer.kind in LAYERS
    if layer.kind in pointwise.SAME and layer.bottoms and not values:
        net.constants.update(dict.fromkeys(layer.tops, net.constants[layer.bottoms[0]]))
        net.uncounted.update(layer.tops[:1])
        net.uncounted.discard(layer.bottoms[0])
        return []
    if known and values and all(values):
        return LAYERS[layer.kind](net, layer)
    sources = [value for value in values if value]
    if not sources:
        raise net.made.error(f"unknown layer of ncnn '{layer.kind[:60]}'", layer.line)
    shapes_ = layer.shapes()
    size = shapes_[0] if len(shapes_) == 1 else (1,)
    node = net.made.opaque(layer.name, layer.line, f"ncnn.{layer.kind}", sources, size=size)
    return [node] if len(shapes_) == 1 else None


def _input_size(layer: ParamLayer) -> Shape:
    """Return the shape that a layer states, () if it states none."""
    sides = [layer.integer(number, 0) for number in (2, 1, 0)]
    shape = tuple(side for side in sides if side > 0)
    return shape if sides[-1] > 0 else ()
